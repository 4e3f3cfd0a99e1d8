/**
 * Saves what is green, for those who switched it on: the unsaved files that a green verdict was about, as they were in it.
 *
 * A verdict of an older state saves nothing. Whether it is the present one is asked of the server, not guessed.
 */

import * as vscode from 'vscode';
import type { Connection } from './connection';
import type { Verdict } from './wire';

export function saveWhenGreen(connection: Connection): vscode.Disposable {
  return connection.onVerdict((verdict) => {
    const wanted = vscode.workspace.getConfiguration('octolimb').get('saveWhenGreen', false);
    if (wanted && verdict.green && connection.serves('octolimb/shadow/content')) void saveAllOf(connection, verdict);
  });
}

async function saveAllOf(connection: Connection, verdict: Verdict): Promise<void> {
  const root = `${vscode.Uri.file(verdict.root).toString()}/`;
  const dirty = vscode.workspace.textDocuments.filter(
    (document) => document.isDirty && document.uri.scheme === 'file' && document.uri.toString().startsWith(root),
  );
  const current = await Promise.all(dirty.map((document) => isAsSensed(connection, verdict, document)));
  // All or none: half of a green state need not be green.
  if (current.every(Boolean)) for (const document of dirty) await document.save();
}

async function isAsSensed(connection: Connection, verdict: Verdict, document: vscode.TextDocument): Promise<boolean> {
  const { version } = document;
  const shadow = await connection
    .ask('octolimb/shadow/content', { uri: document.uri.toString() })
    .catch(() => undefined);
  return (
    shadow?.generation === verdict.generation && shadow.text === document.getText() && document.version === version
  );
}
