/** The line above a previewed hunk: what the proposal is, and what can be done with it. */

import * as vscode from 'vscode';
import type { Connection } from './connection';
import { hunksIn, type Preview, rangeOf } from './preview';
import type { ProposalStore } from './store';
import type { Hunk, Proposal } from './wire';
import { hunkNumber, hunkState, lensReason, lensTitle, trialText } from './words';

export class ProposalLenses implements vscode.CodeLensProvider, vscode.Disposable {
  private readonly registration: vscode.Disposable;
  readonly onDidChangeCodeLenses: vscode.Event<void>;

  constructor(
    private readonly connection: Connection,
    private readonly store: ProposalStore,
    private readonly preview: Preview,
  ) {
    this.onDidChangeCodeLenses = preview.onDidChange;
    this.registration = vscode.languages.registerCodeLensProvider({ scheme: 'file' }, this);
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const proposal = this.store.current;
    if (!proposal) return [];
    const anchored = this.preview.anchored(document);
    const first = anchored[0];
    if (!first) return this.lensesOfMoved(proposal, document);
    const top = this.lenses(rangeOf(first.span), this.titles(proposal));
    if (proposal.hunks.length === 1) return top;
    return [
      ...top,
      ...anchored.flatMap(({ hunk, span }) => this.lenses(rangeOf(span), this.hunkTitles(proposal, hunk))),
    ];
  }

  dispose(): void {
    this.registration.dispose();
  }

  private lenses(range: vscode.Range, commands: vscode.Command[]): vscode.CodeLens[] {
    return commands.map((command) => new vscode.CodeLens(range, command));
  }

  /** The lines were edited, so that nothing can be drawn over them: the proposal is still there to compare. */
  private lensesOfMoved(proposal: Proposal, document: vscode.TextDocument): vscode.CodeLens[] {
    if (hunksIn(proposal, document).every((hunk) => hunk.rejected)) return [];
    const node = { kind: 'proposal', proposal };
    return this.lenses(new vscode.Range(0, 0, 0, 0), [
      { title: 'Proposal: these lines changed since, so it is not drawn here', command: 'octolimb.showProposals' },
      { title: 'Compare', command: 'octolimb.compare', arguments: [node] },
      { title: 'Reject', command: 'octolimb.reject', arguments: [node] },
    ]);
  }

  private titles(proposal: Proposal): vscode.Command[] {
    const node = { kind: 'proposal', proposal };
    const denied = proposal.decision.decision === 'deny';
    const ticked = this.store.ticked(proposal.id)?.length ?? proposal.hunks.length;
    const partly = trialText(this.store.trial(proposal.id), ticked, proposal.hunks.length);
    const icon =
      proposal.decision.decision !== 'allow' ? '$(shield)' : proposal.green && !partly ? '$(pass)' : '$(warning)';
    const siblings = this.store.open.length;
    const title = `${icon}\u00a0${lensTitle(proposal, partly)}`;
    const commands: vscode.Command[] = [{ title, command: 'octolimb.why', arguments: [node] }];
    if (!denied && this.store.canAccept(proposal.id) && this.connection.serves('octolimb/proposal/accept')) {
      const some = partly ? `Accept ${ticked} of ${proposal.hunks.length}` : 'Accept';
      commands.push({ title: some, command: 'octolimb.accept', arguments: [node] });
    }
    commands.push(
      { title: 'Reject', command: 'octolimb.reject', arguments: [node] },
      { title: 'Compare', command: 'octolimb.compare', arguments: [node] },
      { title: 'Why', command: 'octolimb.why', arguments: [node] },
    );
    const reason = lensReason(proposal);
    if (reason) commands.push({ title: reason, command: 'octolimb.why', arguments: [node] });
    if (siblings > 1) {
      const position = this.store.open.findIndex(({ id }) => id === proposal.id) + 1;
      commands.push({
        title: `${position} of ${siblings} $(arrow-right)`,
        command: 'octolimb.nextProposal',
        tooltip: 'Show the next proposal',
      });
    }
    return commands;
  }

  private hunkTitles(proposal: Proposal, hunk: Hunk): vscode.Command[] {
    const node = { kind: 'hunk', proposal, hunk };
    const title = `Hunk ${hunkNumber(proposal, hunk.id)}: ${hunkState(proposal, hunk)}`;
    const accept = { title: 'Accept Hunk', command: 'octolimb.acceptHunk', arguments: [node] };
    return [
      { title, command: 'octolimb.showProposals' },
      ...(proposal.decision.decision === 'deny' ? [] : [accept]),
      { title: 'Reject Hunk', command: 'octolimb.rejectHunk', arguments: [node] },
    ];
  }
}
