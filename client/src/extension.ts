/** What the editor calls: activation wires commands and events to the connection, deactivation closes it. */

import * as vscode from 'vscode';
import { Connection } from './connection';

let connection: Connection | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel('Octolimb', { log: true });
  const current = new Connection(context.extensionPath, log);
  connection = current;
  context.subscriptions.push(
    log,
    current,
    vscode.commands.registerCommand('octolimb.restart', () => current.restart()),
    vscode.commands.registerCommand('octolimb.showLog', () => log.show()),
    vscode.workspace.onDidGrantWorkspaceTrust(() => current.restart()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (['octolimb.serverPython', 'octolimb.python'].some((name) => event.affectsConfiguration(name))) {
        void current.restart();
      }
    }),
  );
  await current.restart();
}

export async function deactivate(): Promise<void> {
  await connection?.stop();
  connection = undefined;
}
