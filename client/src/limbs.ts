/** The limbs at work: started by commands and code actions, shown in the status bar, stopped by a person. */

import * as vscode from 'vscode';
import type { Connection } from './connection';
import { problem } from './messages';
import type { StatusBar } from './status';
import type { LimbStart, LimbStatus } from './wire';
import { limbText } from './words';

export class Limbs implements vscode.Disposable {
  private readonly working = new Map<string, LimbStatus>();
  private readonly subscription: vscode.Disposable;

  constructor(
    private readonly connection: Connection,
    private readonly statusBar: StatusBar,
  ) {
    this.subscription = vscode.Disposable.from(
      connection.onLimb((status) => this.receive(status)),
      connection.onDidStart(() => this.clear()),
    );
  }

  async start(request: LimbStart): Promise<void> {
    try {
      await this.connection.ask('octolimb/limb/start', request);
    } catch (error) {
      problem(error);
    }
  }

  /** Stops one limb, or every limb that works. */
  async cancel(limb?: string): Promise<void> {
    const limbs = limb ? [limb] : [...this.working.keys()];
    await Promise.all(limbs.map((id) => this.connection.ask('octolimb/limb/cancel', { limb: id }).catch(problem)));
  }

  dispose(): void {
    this.subscription.dispose();
  }

  private receive(status: LimbStatus): void {
    const known = this.working.has(status.limb);
    if (limbText(status)) this.working.set(status.limb, status);
    else this.working.delete(status.limb);
    this.show();
    if (!known) return; // Its end has been told already.
    if (status.state === 'surrendered') {
      const tried = status.detail || `${status.attempts} attempts, none of which holds.`;
      void vscode.window.showInformationMessage(`The limb gave up: ${tried}`);
    }
    if (status.state === 'failed') problem(`The limb failed: ${status.detail || 'the log has the details.'}`);
  }

  private clear(): void {
    this.working.clear();
    this.show();
  }

  private show(): void {
    const working = [...this.working.values()];
    this.statusBar.showLimb(working.at(-1), working.length - 1);
    void vscode.commands.executeCommand('setContext', 'octolimb.limbWorks', working.length > 0);
  }
}
