/**
 * Read-only documents that are nowhere on the disk: files as they are in the shadow, and papers for a person.
 *
 * A URI names one version for ever (proposal, side and revision), so the editor may keep what it has read.
 */

import * as vscode from 'vscode';
import type { Connection } from './connection';
import type { Proposal } from './wire';

export const SCHEME = 'octolimb-shadow';
const PAPERS = 'paper';

export class ShadowDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly papers = new Map<string, string>();
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  private opened = 0;

  constructor(private readonly connection: Connection) {}

  async provideTextDocumentContent(uri: vscode.Uri, token: vscode.CancellationToken): Promise<string> {
    if (uri.authority === PAPERS) return this.papers.get(uri.path) ?? '';
    const query = new URLSearchParams(uri.query);
    const proposal = query.get('proposal');
    const side: 'before' | 'after' = query.get('side') === 'before' ? 'before' : 'after';
    const request = { uri: query.get('uri') ?? '', ...(proposal ? { proposal, side } : {}) };
    const { text } = await this.connection.ask('octolimb/shadow/content', request, token);
    return text ?? '';
  }

  /** Opens a file as tools see it now, unsaved edits included. */
  async openShadow(uri: vscode.Uri): Promise<void> {
    this.opened += 1; // The state moves on: each opening is a version of its own.
    const shadow = shadowUri(uri, { opened: String(this.opened) });
    await vscode.window.showTextDocument(shadow, { preview: true });
  }

  /** Opens Markdown as a rendered page, or as text where the editor cannot render it. */
  async openPaper(name: string, text: string): Promise<void> {
    this.opened += 1;
    const path = `/${this.opened}/${name}.md`;
    this.papers.set(path, text);
    const uri = vscode.Uri.from({ scheme: SCHEME, authority: PAPERS, path });
    try {
      await vscode.commands.executeCommand('markdown.showPreview', uri);
    } catch {
      await vscode.window.showTextDocument(uri, { preview: true });
    }
  }

  dispose(): void {
    this.registration.dispose();
  }
}

export function shadowUri(uri: vscode.Uri, query: Record<string, string>): vscode.Uri {
  const parameters = new URLSearchParams({ uri: uri.toString(), ...query });
  return vscode.Uri.from({ scheme: SCHEME, path: uri.path, query: parameters.toString() });
}

/** All files of a proposal side by side with what they are now, in one editor. */
export async function compare(proposal: Proposal): Promise<void> {
  const title = `Proposal ${proposal.rank}: ${proposal.why || 'changes'}`;
  const rows = proposal.files.map((file) => {
    const now = vscode.Uri.parse(file.uri);
    const before = vscode.Uri.parse(file.oldUri ?? file.uri);
    return [
      now,
      file.kind === 'create' ? undefined : sideUri(proposal, before, 'before'),
      file.kind === 'delete' ? undefined : sideUri(proposal, now, 'after'),
    ];
  });
  await vscode.commands.executeCommand('vscode.changes', title, rows);
}

function sideUri(proposal: Proposal, uri: vscode.Uri, side: 'before' | 'after'): vscode.Uri {
  return shadowUri(uri, { proposal: proposal.id, side, revision: String(proposal.revision) });
}
