/** What a person can ask for: each command collects ids, places and versions, sends them, and shows the answer. */

import * as vscode from 'vscode';
import type { Accepting } from './accepting';
import type { Connection } from './connection';
import { compare, type ShadowDocuments } from './documents';
import type { Limbs } from './limbs';
import { aside, problem } from './messages';
import { causePaper, doctorPaper, reproducer, whyPaper } from './papers';
import { type Preview, rangeOf } from './preview';
import type { StatusBar } from './status';
import type { ProposalStore } from './store';
import type { ShadowTests } from './tests';
import type { Node } from './tree';
import type { LimbStart, Proposal, Span, Verdict } from './wire';

export interface Parts {
  readonly connection: Connection;
  readonly log: vscode.LogOutputChannel;
  readonly store: ProposalStore;
  readonly limbs: Limbs;
  readonly accepting: Accepting;
  readonly documents: ShadowDocuments;
  readonly preview: Preview;
  readonly statusBar: StatusBar;
  readonly tests: ShadowTests;
}

export function registerCommands(parts: Parts): vscode.Disposable {
  const { connection, log, limbs, documents } = parts;
  let latest: Verdict | undefined;
  const commands: Record<string, (...args: never[]) => unknown> = {
    restart: () => connection.restart(),
    showLog: () => log.show(),
    doctor: async () =>
      documents.openPaper('What works here', doctorPaper(await connection.ask('octolimb/doctor', {}))),
    sense: async () => {
      latest = await sense(parts);
    },
    fixProblem: () => fixProblem(limbs),
    fixFile: () => fixFile(limbs),
    fixTests: () => fixTests(parts, latest),
    fixWithLimb: (request: LimbStart) => limbs.start(request),
    cancelLimb: (limb?: string) => limbs.cancel(typeof limb === 'string' ? limb : undefined),
    openShadow: (uri?: vscode.Uri) => openShadow(documents, uri),
    goBack: () => goBack(connection),
    whatBroke: async () => {
      const cause = await connection.ask('octolimb/green/cause', where());
      if (cause.status === 'found') await documents.openPaper('What broke it', causePaper(cause));
      else aside(cause.message);
    },
    exportReproducer: () => exportReproducer(connection, latest),
    ...proposalCommands(parts),
  };
  const registrations = Object.entries(commands).map(([name, run]) =>
    vscode.commands.registerCommand(`octolimb.${name}`, async (...args: never[]) => {
      try {
        await run(...args);
      } catch (error) {
        problem(error);
      }
    }),
  );
  return vscode.Disposable.from(
    ...registrations,
    connection.onVerdict((verdict) => {
      latest = verdict;
    }),
  );
}

function proposalCommands({
  store,
  accepting,
  documents,
  preview,
}: Parts): Record<string, (...args: never[]) => unknown> {
  const proposalOf = (node?: Node): Proposal | undefined => store.get(node?.proposal.id ?? '') ?? store.current;
  const withProposal = (run: (proposal: Proposal) => unknown) => (node?: Node) => {
    const proposal = proposalOf(node);
    return proposal ? run(proposal) : aside('There is no proposal.');
  };
  const withHunk = (run: (proposal: Proposal, hunks: readonly string[]) => unknown) => (node?: Node) => {
    const proposal = proposalOf(node);
    const hunk = node?.kind === 'hunk' ? node.hunk.id : hunkAtCursor(preview);
    return proposal && hunk ? run(proposal, [hunk]) : aside('There is no hunk here.');
  };
  return {
    showProposals: () => vscode.commands.executeCommand('octolimb.proposals.focus'),
    accept: withProposal((proposal) => accepting.accept(proposal)),
    reject: withProposal((proposal) => accepting.reject(proposal)),
    compare: withProposal((proposal) => compare(proposal)),
    why: withProposal((proposal) => documents.openPaper('Why', whyPaper(proposal))),
    acceptHunk: withHunk((proposal, hunks) => accepting.accept(proposal, hunks)),
    rejectHunk: withHunk((proposal, hunks) => accepting.reject(proposal, hunks)),
    restoreHunk: withHunk((proposal, hunks) => accepting.restore(proposal, hunks)),
    restoreHunks: withProposal((proposal) => accepting.restore(proposal)),
    nextProposal: () => {
      const open = store.open;
      const position = open.findIndex((proposal) => proposal.id === store.current?.id);
      const next = open[(position + 1) % open.length];
      if (next) store.choose(next.id);
    },
    nextHunk: () => moveToHunk(preview, 1),
    previousHunk: () => moveToHunk(preview, -1),
    revealHunk: async (node: Node) => {
      if (node.kind !== 'hunk') return;
      store.choose(node.proposal.id);
      const file = node.proposal.files.find(({ uri }) => uri === node.hunk.uri);
      if (file?.kind === 'create') {
        // It has no buffer to be shown in yet.
        await compare(node.proposal);
        return;
      }
      const selection = new vscode.Range(rangeOf(node.hunk.range).start, rangeOf(node.hunk.range).start);
      await vscode.window.showTextDocument(vscode.Uri.parse(node.hunk.uri), {
        selection,
        preserveFocus: true,
        preview: true,
      });
    },
  };
}

async function fixProblem(limbs: Limbs): Promise<void> {
  const editor = pythonEditor();
  if (!editor) return;
  const { document, selection } = editor;
  const around = vscode.languages
    .getDiagnostics(document.uri)
    .filter(({ range }) => range.contains(selection.active) || range.start.line === selection.active.line)
    .sort((one, other) => one.severity - other.severity);
  const found = around.find(({ range }) => range.contains(selection.active)) ?? around[0];
  if (!found) {
    aside('There is no problem on this line.');
    return;
  }
  await limbs.start({ ...fileOf(document), kind: 'diagnostic', range: spanOf(found.range) });
}

async function fixFile(limbs: Limbs): Promise<void> {
  const document = pythonEditor()?.document;
  if (document) await limbs.start({ ...fileOf(document), kind: 'diagnostic' });
}

/** The test that the cursor stands in; else one of those that fail, which a person chooses when there are several. */
async function fixTests({ limbs, tests }: Parts, latest: Verdict | undefined): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const here = editor && tests.testAt(editor.document.uri, editor.selection.active);
  const failing = latest?.tests.failures ?? [];
  const choice = here?.id ?? (failing.length > 1 ? await pickTest(failing) : failing[0]);
  if (!choice) {
    if (failing.length === 0) aside('No failing test is known: sense first, or put the cursor into a test.');
    return;
  }
  const uri = tests.itemOf(choice)?.uri ?? fileOfNode(latest, choice) ?? editor?.document.uri;
  if (!uri) return;
  const document = vscode.workspace.textDocuments.find((open) => open.uri.toString() === uri.toString());
  const file = document ? fileOf(document) : { uri: uri.toString() };
  await limbs.start({ ...file, kind: 'test', text: choice });
}

function pickTest(failing: readonly string[]): Thenable<string | undefined> {
  return vscode.window.showQuickPick([...failing], { placeHolder: 'Which failing test shall a limb repair?' });
}

function fileOfNode(verdict: Verdict | undefined, nodeId: string): vscode.Uri | undefined {
  if (!verdict) return undefined;
  return vscode.Uri.joinPath(vscode.Uri.file(verdict.root), nodeId.split('::')[0] ?? '');
}

async function sense({ connection, statusBar }: Parts): Promise<Verdict> {
  const verdict = await statusBar.whileSensing(connection.ask('octolimb/sense', {}));
  statusBar.showVerdict(verdict);
  return verdict;
}

async function openShadow(documents: ShadowDocuments, given?: vscode.Uri): Promise<void> {
  const uri = given ?? vscode.window.activeTextEditor?.document.uri;
  if (uri?.scheme === 'file') await documents.openShadow(uri);
  else aside('Open a file of the folder first.');
}

async function goBack(connection: Connection): Promise<void> {
  const answer = await connection.ask('octolimb/green/back', where());
  if (answer.status === 'failed') problem(answer.message);
  else aside(answer.message);
}

/** The unsaved files and what hurts, as one script in a new editor; where it goes is up to the person. */
async function exportReproducer(connection: Connection, latest: Verdict | undefined): Promise<void> {
  if (!latest) {
    aside('Nothing has been sensed yet.');
    return;
  }
  const root = vscode.Uri.file(latest.root).toString();
  const texts = new Map<string, string>();
  for (const document of vscode.workspace.textDocuments) {
    const uri = document.uri.toString();
    if (!document.isDirty || !uri.startsWith(`${root}/`)) continue;
    const { text } = await connection.ask('octolimb/shadow/content', { uri });
    if (text !== null) texts.set(decodeURIComponent(uri.slice(root.length + 1)), text);
  }
  const content = reproducer(latest, texts);
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ language: 'python', content }));
}

function hunkAtCursor(preview: Preview): string | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return undefined;
  const anchored = preview.anchored(editor.document);
  const line = editor.selection.active.line;
  const here = anchored.find(
    ({ span }) => span.start.line <= line && line <= Math.max(span.start.line, span.end.line - 1),
  );
  return (here ?? (anchored.length === 1 ? anchored[0] : undefined))?.hunk.id;
}

function moveToHunk(preview: Preview, step: 1 | -1): void {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return;
  const lines = preview.anchored(editor.document).map(({ span }) => span.start.line);
  const line = editor.selection.active.line;
  const next =
    step === 1 ? (lines.find((at) => at > line) ?? lines[0]) : (lines.findLast((at) => at < line) ?? lines.at(-1));
  if (next === undefined) {
    aside('There is no proposal in this file.');
    return;
  }
  editor.selection = new vscode.Selection(next, 0, next, 0);
  editor.revealRange(editor.selection, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

function pythonEditor(): vscode.TextEditor | undefined {
  const editor = vscode.window.activeTextEditor;
  if (editor?.document.languageId === 'python' && editor.document.uri.scheme === 'file') return editor;
  aside('Open a Python file first.');
  return undefined;
}

function fileOf(document: vscode.TextDocument): { uri: string; version: number } {
  return { uri: document.uri.toString(), version: document.version };
}

function where(): { uri?: string } {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return uri?.scheme === 'file' ? { uri: uri.toString() } : {};
}

function spanOf({ start, end }: vscode.Range): Span {
  const place = ({ line, character }: vscode.Position) => ({ line, character });
  return { start: place(start), end: place(end) };
}
