/** What the editor calls: activation wires the parts together, deactivation stops the server. */

import * as vscode from 'vscode';
import { Accepting } from './accepting';
import { registerCommands } from './commands';
import { Connection } from './connection';
import { ShadowDocuments } from './documents';
import { ProposalLenses } from './lenses';
import { Limbs } from './limbs';
import { problem } from './messages';
import { keepStandingBack } from './neighbours';
import { Preview } from './preview';
import { saveWhenGreen } from './saving';
import { SERVER_SETTINGS } from './server';
import { StatusBar } from './status';
import { ProposalStore } from './store';
import { ShadowTests } from './tests';
import { ProposalTree } from './tree';

let connection: Connection | undefined;

/** Returns at once: the server starts while the editor goes on. */
export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Octolimb', { log: true });
  const current = new Connection(context.extensionPath, log);
  connection = current;
  const store = new ProposalStore();
  const statusBar = new StatusBar(current);
  const limbs = new Limbs(current, statusBar);
  const accepting = new Accepting(current, store);
  const documents = new ShadowDocuments(current);
  const preview = new Preview(store, vscode.Uri.joinPath(context.extensionUri, 'client', 'media'));
  const tests = new ShadowTests(current, statusBar);
  context.subscriptions.push(
    ...[log, current, statusBar, limbs, accepting, documents, preview, tests],
    new ProposalTree(store),
    new ProposalLenses(current, store, preview),
    keepStandingBack(current),
    saveWhenGreen(current),
    registerCommands({ connection: current, log, store, limbs, accepting, documents, preview, statusBar, tests }),
    current.onProposal((event) => store.receive(event)),
    current.onDidStart(() => refresh(current, store)),
    vscode.workspace.onDidGrantWorkspaceTrust(() => current.restart()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (SERVER_SETTINGS.some((name) => event.affectsConfiguration(`octolimb.${name}`))) void current.restart();
    }),
  );
  void current.restart();
}

export async function deactivate(): Promise<void> {
  await connection?.stop();
  connection = undefined;
}

/** A fresh server is asked for its proposals: those of the one before may be there again, or gone. */
async function refresh(connection: Connection, store: ProposalStore): Promise<void> {
  if (!connection.serves('octolimb/proposal/list')) {
    store.replace([]);
    return;
  }
  try {
    store.replace((await connection.ask('octolimb/proposal/list', {})).proposals);
  } catch (error) {
    problem(error);
  }
}
