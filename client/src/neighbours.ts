/** Other extensions that already do a part of what we do, so that nothing is reported or answered twice. */

import * as vscode from 'vscode';
import type { Connection } from './connection';

const LINT = ['charliermarsh.ruff'];
const TYPES = [
  'ms-python.vscode-pylance',
  'astral-sh.ty',
  'ms-pyright.pyright',
  'detachhead.basedpyright',
  'ms-python.mypy-type-checker',
];
const CODE_INTELLIGENCE = ['ms-python.vscode-pylance', 'astral-sh.ty', 'ms-pyright.pyright', 'detachhead.basedpyright'];

export function hasCodeIntelligence(): boolean {
  return anyInstalled(CODE_INTELLIGENCE);
}

/** Tells the server which findings of open files others report already: at its start, and when extensions change. */
export function keepStandingBack(connection: Connection): vscode.Disposable {
  let told = '';
  const tell = (afresh: boolean) => {
    const sensors = standBackSensors();
    if (sensors.join() === (afresh ? '' : told)) return;
    told = sensors.join();
    connection.tell('octolimb/standBack', { sensors });
  };
  return vscode.Disposable.from(
    connection.onDidStart(() => tell(true)),
    vscode.extensions.onDidChange(() => tell(false)),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('octolimb.standBack')) tell(false);
    }),
  );
}

function standBackSensors(): string[] {
  if (vscode.workspace.getConfiguration('octolimb').get('standBack', 'auto') !== 'auto') return [];
  return [...(anyInstalled(LINT) ? ['lint'] : []), ...(anyInstalled(TYPES) ? ['types'] : [])];
}

function anyInstalled(ids: readonly string[]): boolean {
  return ids.some((id) => vscode.extensions.getExtension(id) !== undefined);
}
