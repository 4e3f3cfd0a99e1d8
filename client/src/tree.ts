/** The Proposals view: a proposal, its files, their hunks, each with its state. Ticking a hunk senses what is ticked. */

import * as vscode from 'vscode';
import { diffText } from './drawing';
import type { ProposalStore, Trial } from './store';
import type { ChangedFile, Hunk, Proposal } from './wire';
import {
  colourText,
  count,
  decisionText,
  hunkLabel,
  hunkState,
  proposalTitle,
  reasonLines,
  sizeText,
  trialText,
} from './words';

export type Node =
  | { readonly kind: 'proposal'; readonly proposal: Proposal }
  | { readonly kind: 'file'; readonly proposal: Proposal; readonly file: ChangedFile }
  | { readonly kind: 'hunk'; readonly proposal: Proposal; readonly hunk: Hunk };

export class ProposalTree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<undefined>();
  private readonly view: vscode.TreeView<Node>;
  private readonly subscription: vscode.Disposable;
  readonly onDidChangeTreeData = this.changed.event;

  constructor(private readonly store: ProposalStore) {
    this.view = vscode.window.createTreeView('octolimb.proposals', {
      treeDataProvider: this,
      manageCheckboxStateManually: true,
      showCollapseAll: true,
    });
    this.subscription = vscode.Disposable.from(
      this.view,
      this.changed,
      store.onDidChange(() => this.show()),
      this.view.onDidChangeCheckboxState(({ items }) => {
        for (const [node, state] of items) {
          const on = state === vscode.TreeItemCheckboxState.Checked;
          if (node.kind === 'hunk') store.tick(node.proposal.id, node.hunk.id, on);
        }
      }),
      this.view.onDidChangeSelection(({ selection: [node] }) => {
        if (node && node.proposal.state !== 'rejected') store.choose(node.proposal.id);
      }),
    );
  }

  getChildren(node?: Node): Node[] {
    if (!node) return this.store.all.map((proposal) => ({ kind: 'proposal', proposal }));
    if (node.kind === 'proposal') {
      return node.proposal.files.map((file) => ({ kind: 'file', proposal: node.proposal, file }));
    }
    if (node.kind === 'hunk') return [];
    const { proposal, file } = node;
    const hunks = proposal.hunks.filter((hunk) => hunk.uri === file.uri || hunk.uri === file.oldUri);
    return hunks.map((hunk) => ({ kind: 'hunk', proposal, hunk }));
  }

  getTreeItem(node: Node): vscode.TreeItem {
    if (node.kind === 'proposal') return this.proposalItem(node.proposal);
    return node.kind === 'file' ? fileItem(node.proposal, node.file) : this.hunkItem(node.proposal, node.hunk);
  }

  dispose(): void {
    this.subscription.dispose();
  }

  private show(): void {
    const open = this.store.open.length;
    this.view.badge =
      open > 0 ? { value: open, tooltip: `${count(open, 'proposal')}: nothing is changed yet` } : undefined;
    this.changed.fire(undefined);
  }

  private proposalItem(proposal: Proposal): vscode.TreeItem {
    const item = new vscode.TreeItem(proposal.why || sizeText(proposal), vscode.TreeItemCollapsibleState.Expanded);
    const trial = this.store.trial(proposal.id);
    const ticked = this.store.ticked(proposal.id)?.length ?? proposal.hunks.length;
    const partly = trialText(trial, ticked, proposal.hunks.length);
    const decided = decisionText(proposal.decision);
    const stale = proposal.state === 'stale' ? 'your files changed since, ' : '';
    item.id = proposal.id;
    item.description =
      proposal.state === 'rejected'
        ? 'rejected'
        : `${stale}${partly ?? colourText(proposal)}, ${decided}, ${sizeText(proposal)}`;
    item.iconPath = proposalIcon(proposal, trial);
    item.contextValue = this.contextOf(proposal);
    item.tooltip = [proposalTitle(proposal), ...reasonLines(proposal.decision), ...proposal.pain].join('\n');
    item.accessibilityInformation = { label: `Proposal ${proposal.rank}: ${proposal.why}. ${item.description}` };
    return item;
  }

  private contextOf(proposal: Proposal): string {
    if (proposal.state === 'rejected') return 'proposal.rejected';
    const denied = proposal.decision.decision === 'deny';
    const partly = proposal.hunks.some((hunk) => hunk.rejected) ? '.partly' : '';
    return `proposal.open${!denied && this.store.canAccept(proposal.id) ? '.ready' : ''}${partly}`;
  }

  private hunkItem(proposal: Proposal, hunk: Hunk): vscode.TreeItem {
    const state = hunkState(proposal, hunk);
    const item = new vscode.TreeItem(`line ${hunk.range.start.line + 1}: ${state}`);
    const open = proposal.state !== 'rejected';
    item.id = `${proposal.id}/${hunk.id}`;
    item.description = hunkLabel(hunk);
    item.contextValue = open ? (hunk.rejected ? 'hunk.rejected' : 'hunk.open') : 'hunk';
    item.accessibilityInformation = { label: `Hunk at ${item.label}. ${hunkLabel(hunk)}` };
    item.tooltip = new vscode.MarkdownString().appendCodeblock(diffText(hunk), 'diff');
    item.command = {
      command: 'octolimb.revealHunk',
      title: 'Show in Editor',
      arguments: [{ kind: 'hunk', proposal, hunk }],
    };
    if (hunk.rejected) {
      item.iconPath = new vscode.ThemeIcon('circle-slash');
    } else if (open && proposal.hunks.length > 1) {
      const on = this.store.isTicked(hunk, proposal.id);
      item.checkboxState = {
        state: on ? vscode.TreeItemCheckboxState.Checked : vscode.TreeItemCheckboxState.Unchecked,
        tooltip: on ? 'Part of what Accept takes' : 'Left out of what Accept takes',
        accessibilityInformation: { label: `Hunk at line ${hunk.range.start.line + 1}`, role: 'checkbox' },
      };
    }
    return item;
  }
}

function fileItem(proposal: Proposal, file: ChangedFile): vscode.TreeItem {
  const uri = vscode.Uri.parse(file.uri);
  const item = new vscode.TreeItem(uri, vscode.TreeItemCollapsibleState.Expanded);
  const kinds = { create: 'new file', delete: 'deleted', rename: 'renamed', modify: '' };
  item.id = `${proposal.id}/${file.uri}`;
  item.description = kinds[file.kind];
  item.iconPath = vscode.ThemeIcon.File;
  item.contextValue = 'file';
  item.tooltip = vscode.workspace.asRelativePath(uri);
  return item;
}

function proposalIcon(proposal: Proposal, trial: Trial): vscode.ThemeIcon {
  const coloured = (icon: string, colour: string) => new vscode.ThemeIcon(icon, new vscode.ThemeColor(colour));
  if (proposal.state === 'rejected') return new vscode.ThemeIcon('circle-slash');
  if (trial.kind === 'trying') return new vscode.ThemeIcon('loading~spin');
  if (proposal.decision.decision === 'deny') return coloured('shield', 'list.errorForeground');
  if (proposal.decision.decision === 'ask') return coloured('shield', 'list.warningForeground');
  if (proposal.state === 'stale') return coloured('history', 'list.warningForeground');
  const holds = trial.kind === 'tried' ? trial.answer.status === 'tried' : proposal.green;
  return holds ? coloured('pass', 'testing.iconPassed') : coloured('warning', 'list.warningForeground');
}
