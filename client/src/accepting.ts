/** From Accept to what came of it: the guard's question, a way out of every refusal. The server decides, a person confirms. */

import * as vscode from 'vscode';
import type { Connection } from './connection';
import { compare } from './documents';
import { aside, problem } from './messages';
import type { ProposalStore } from './store';
import type { Accepted, Proposal } from './wire';
import { hunkNumber, reasonLines } from './words';

const TRY_DELAY_MS = 400;

export class Accepting implements vscode.Disposable {
  private readonly busy = new Set<string>();
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly subscription: { dispose(): void };

  constructor(
    private readonly connection: Connection,
    private readonly store: ProposalStore,
  ) {
    this.subscription = store.onDidChange(() => this.tryWhatIsTicked());
  }

  /** Accepts the hunks that are named, else those that are ticked. A second click while one is under way does nothing. */
  async accept(proposal: Proposal, hunks?: readonly string[]): Promise<void> {
    if (this.busy.has(proposal.id)) return;
    this.busy.add(proposal.id);
    try {
      await this.acceptAndTell(proposal, hunks ?? this.store.ticked(proposal.id), false);
    } catch (error) {
      problem(error);
    } finally {
      this.busy.delete(proposal.id);
    }
  }

  async reject(proposal: Proposal, hunks?: readonly string[]): Promise<void> {
    await this.change('octolimb/proposal/reject', proposal, hunks);
    if (!hunks) aside('Rejected. It can be restored from the Proposals view.');
  }

  async restore(proposal: Proposal, hunks?: readonly string[]): Promise<void> {
    await this.change('octolimb/proposal/restore', proposal, hunks);
  }

  dispose(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.subscription.dispose();
  }

  private async change(
    method: 'octolimb/proposal/reject' | 'octolimb/proposal/restore',
    proposal: Proposal,
    hunks: readonly string[] | undefined,
  ): Promise<void> {
    try {
      this.store.update(await this.connection.ask(method, { id: proposal.id, ...(hunks ? { hunks } : {}) }));
    } catch (error) {
      problem(error);
    }
  }

  private async acceptAndTell(
    proposal: Proposal,
    hunks: readonly string[] | undefined,
    confirmed: boolean,
  ): Promise<void> {
    const request = { id: proposal.id, ...(hunks ? { hunks } : {}), ...(confirmed ? { confirmed } : {}) };
    const answer = await this.connection.ask('octolimb/proposal/accept', request);
    const reasons = reasonLines(answer.decision ?? proposal.decision);
    switch (answer.status) {
      case 'applied':
        aside(`Accepted: ${answer.message}. Nothing is saved yet.`);
        return;
      case 'ask':
        if (await confirm(answer, reasons)) await this.acceptAndTell(proposal, hunks, true);
        return;
      case 'denied': {
        const message = `Denied by the guard. ${reasons.join(' ') || answer.message} Nothing was changed.`;
        const choice = await vscode.window.showErrorMessage(message, 'Compare');
        if (choice) await compare(proposal);
        return;
      }
      default:
        await this.offerWaysOut(proposal, hunks, answer);
    }
  }

  private async offerWaysOut(
    proposal: Proposal,
    hunks: readonly string[] | undefined,
    answer: Accepted,
  ): Promise<void> {
    const numbers = answer.needs.map((id) => hunkNumber(proposal, id)).join(' and ');
    const needed = hunks && answer.needs.length > 0 ? `Accept Hunk ${numbers} Too` : undefined;
    const buttons = [...(needed ? [needed] : []), 'Compare'];
    const choice = await vscode.window.showWarningMessage(`${answer.message} Nothing was changed.`, ...buttons);
    if (choice === 'Compare') await compare(proposal);
    if (needed && choice === needed) {
      await this.acceptAndTell(proposal, [...(hunks ?? []), ...answer.needs], false);
    }
  }

  /** What is ticked in part is sensed as what it is, once the ticking has settled. */
  private tryWhatIsTicked(): void {
    if (!this.connection.serves('octolimb/proposal/try')) return;
    for (const { id } of this.store.open) {
      const hunks = this.store.ticked(id);
      if (this.store.trial(id).kind !== 'trying' || !hunks?.length) continue;
      clearTimeout(this.timers.get(id));
      this.timers.set(
        id,
        setTimeout(() => {
          this.connection
            .ask('octolimb/proposal/try', { id, hunks })
            .then((answer) => this.store.settleTrial(id, hunks, answer))
            .catch((error: unknown) => {
              const message = error instanceof Error ? error.message : String(error);
              this.store.settleTrial(id, hunks, { status: 'failed', message, needs: [], conflicts: [] });
            });
        }, TRY_DELAY_MS),
      );
    }
  }
}

async function confirm(answer: Accepted, reasons: readonly string[]): Promise<boolean> {
  const policies = [...new Set((answer.decision?.reasons ?? []).map((reason) => reason.policy))].join(', ');
  const title = `The guard asks${policies ? ` (${policies})` : ''}: accept this change?`;
  const detail = [...(reasons.length > 0 ? reasons : [answer.message]), 'Nothing has been changed so far.'].join(
    '\n\n',
  );
  return (await vscode.window.showWarningMessage(title, { modal: true, detail }, 'Accept')) === 'Accept';
}
