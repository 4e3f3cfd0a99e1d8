/** How a person is told that something went wrong: once, in one line, with the log a click away. */

import { CancellationError, commands, window } from 'vscode';

export function problem(error: unknown): void {
  if (error instanceof CancellationError) return;
  const message = error instanceof Error ? error.message : String(error);
  void window.showErrorMessage(message, 'Show Log').then((choice) => {
    if (choice === 'Show Log') void commands.executeCommand('octolimb.showLog');
  });
}

/** A word in passing, in the status bar: it takes no focus and goes away by itself. */
export function aside(message: string): void {
  window.setStatusBarMessage(`$(info) ${message}`, 6000);
}
