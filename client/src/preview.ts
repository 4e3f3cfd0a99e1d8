/**
 * A proposal drawn over the code: tinted lines, what would stand there at their end, a mark in the gutter.
 *
 * The buffer is never touched: sensors would see half a proposal, and undo would remember it.
 */

import * as vscode from 'vscode';
import { type Anchored, anchor, diffText, draw, shift } from './drawing';
import type { ProposalStore } from './store';
import type { Hunk, Proposal, Span } from './wire';
import { hunkState, reasonLines, whyLines } from './words';

export class Preview implements vscode.Disposable {
  private anchors = new Map<string, { version: string; anchored: Anchored[] }>();
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly removed: vscode.TextEditorDecorationType;
  private readonly added: vscode.TextEditorDecorationType;
  private readonly marks: Record<'allow' | 'deny', vscode.TextEditorDecorationType>;
  private readonly subscription: vscode.Disposable;
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly store: ProposalStore,
    media: vscode.Uri,
  ) {
    this.removed = vscode.window.createTextEditorDecorationType({
      backgroundColor: new vscode.ThemeColor('diffEditor.removedTextBackground'),
      textDecoration: 'line-through',
    });
    this.added = vscode.window.createTextEditorDecorationType({
      rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
    });
    this.marks = { allow: gutterMark(media, 'proposal'), deny: gutterMark(media, 'shield') };
    this.subscription = vscode.Disposable.from(
      this.changed,
      this.removed,
      this.added,
      this.marks.allow,
      this.marks.deny,
      store.onDidChange(() => this.drawAll()),
      vscode.window.onDidChangeVisibleTextEditors(() => this.drawAll()),
      vscode.window.onDidChangeActiveTextEditor(() => this.tellContext()),
      vscode.workspace.onDidChangeTextDocument((event) => this.follow(event)),
      vscode.workspace.onDidCloseTextDocument((document) => this.anchors.delete(document.uri.toString())),
    );
  }

  /** The hunks of the current proposal in a document, where they lie now. */
  anchored(document: vscode.TextDocument): Anchored[] {
    const proposal = this.store.current;
    const key = document.uri.toString();
    if (!proposal) return [];
    const version = `${proposal.id}@${proposal.revision}`;
    const held = this.anchors.get(key);
    if (held?.version === version) return held.anchored;
    const hunks = hunksIn(proposal, document);
    const anchored = anchor(hunks, (span) => document.getText(rangeOf(span)));
    this.anchors.set(key, { version, anchored });
    return anchored;
  }

  dispose(): void {
    this.subscription.dispose();
  }

  private follow({ document, contentChanges, reason }: vscode.TextDocumentChangeEvent): void {
    const held = this.anchors.get(document.uri.toString());
    if (!held || contentChanges.length === 0) return;
    // The editor gives the changes of one edit from the last to the first: none moves those that follow it here.
    for (const { range, text } of contentChanges) held.anchored = shift(held.anchored, range, text);
    // Undoing an edit inside a hunk brings its lines back.
    if (reason === vscode.TextDocumentChangeReason.Undo) this.anchors.delete(document.uri.toString());
    this.drawAll();
  }

  private drawAll(): void {
    for (const editor of vscode.window.visibleTextEditors) this.draw(editor);
    this.tellContext();
    this.changed.fire();
  }

  private draw(editor: vscode.TextEditor): void {
    if (editor.document.uri.scheme !== 'file') return;
    const proposal = this.store.current;
    const removed: vscode.DecorationOptions[] = [];
    const added: vscode.DecorationOptions[] = [];
    const marked: vscode.DecorationOptions[] = [];
    for (const anchored of proposal ? this.anchored(editor.document) : []) {
      const ticked = proposal && this.store.isTicked(anchored.hunk, proposal.id);
      if (!proposal || !ticked) continue;
      const hoverMessage = hover(proposal, anchored.hunk);
      for (const [index, drawing] of draw(anchored).entries()) {
        const line = Math.min(drawing.line, editor.document.lineCount - 1);
        const { range } = editor.document.lineAt(line);
        const [start, end] = drawing.removed ?? [range.end.character, range.end.character];
        if (drawing.removed) removed.push({ range: new vscode.Range(line, start, line, end) });
        if (drawing.added) {
          const place = new vscode.Range(line, end, line, end);
          added.push({ range: place, renderOptions: ghost(drawing.added, end === range.end.character) });
        }
        // The hover is the line's, so that it need not be aimed at the few letters that differ.
        if (index === 0) marked.push({ range, hoverMessage });
      }
    }
    const denied = proposal?.decision.decision === 'deny';
    editor.setDecorations(this.removed, removed);
    editor.setDecorations(this.added, added);
    editor.setDecorations(this.marks.allow, denied ? [] : marked);
    editor.setDecorations(this.marks.deny, denied ? marked : []);
  }

  private tellContext(): void {
    const document = vscode.window.activeTextEditor?.document;
    const shown = document !== undefined && this.anchored(document).length > 0;
    void vscode.commands.executeCommand('setContext', 'octolimb.previewInEditor', shown);
  }
}

export function rangeOf({ start, end }: Span): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

export function hunksIn(proposal: Proposal, document: vscode.TextDocument): Hunk[] {
  const uri = document.uri.toString();
  return proposal.hunks.filter((hunk) => vscode.Uri.parse(hunk.uri).toString() === uri);
}

function ghost(contentText: string, atEnd: boolean): vscode.DecorationInstanceRenderOptions {
  return {
    after: {
      contentText: contentText.replaceAll('\t', '    '),
      margin: atEnd ? '0 0 0 1ch' : '0 0 0 0.4ch',
      backgroundColor: new vscode.ThemeColor('diffEditor.insertedTextBackground'),
    },
  };
}

function gutterMark(media: vscode.Uri, name: string): vscode.TextEditorDecorationType {
  return vscode.window.createTextEditorDecorationType({
    gutterIconSize: '80%',
    overviewRulerColor: new vscode.ThemeColor('diffEditorOverview.insertedForeground'),
    overviewRulerLane: vscode.OverviewRulerLane.Left,
    light: { gutterIconPath: vscode.Uri.joinPath(media, `${name}-light.svg`) },
    dark: { gutterIconPath: vscode.Uri.joinPath(media, `${name}-dark.svg`) },
  });
}

function hover(proposal: Proposal, hunk: Hunk): vscode.MarkdownString {
  const [hurt, tried, holds] = whyLines(proposal);
  const text = new vscode.MarkdownString('', true);
  text.appendMarkdown('**Proposal** (').appendText(hunkState(proposal, hunk)).appendMarkdown(')\n');
  text.appendCodeblock(diffText(hunk), 'diff');
  for (const reason of reasonLines(proposal.decision)) {
    text.appendMarkdown('$(shield) ').appendText(reason).appendMarkdown('\n\n');
  }
  for (const [name, line] of [
    ['What hurt', hurt],
    ['What was tried', tried],
    ['What holds', holds],
  ] as const) {
    text.appendMarkdown(`**${name}:** `).appendText(line).appendMarkdown('\n\n');
  }
  return text;
}
