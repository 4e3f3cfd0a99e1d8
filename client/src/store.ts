/**
 * The one canonical place of proposals: what the server told, which hunks are ticked, and which proposal is in view.
 *
 * It does NOT know the editor; every view listens to it and draws what it holds.
 */

import type { Accepted, Hunk, Proposal, ProposalEvent } from './wire';

/** What is known of the ticked hunks: all of them were sensed by the limb, a part must be tried first. */
export type Trial =
  | { readonly kind: 'whole' }
  | { readonly kind: 'trying' }
  | { readonly kind: 'tried'; readonly answer: Accepted };

export class ProposalStore {
  private readonly proposals = new Map<string, Proposal>();
  private readonly unticked = new Map<string, Set<string>>();
  private readonly trials = new Map<string, Trial>();
  private readonly listeners = new Set<() => void>();
  private chosen: string | undefined;

  onDidChange(listener: () => void): { dispose(): void } {
    this.listeners.add(listener);
    return { dispose: () => this.listeners.delete(listener) };
  }

  /** Those that a person can still do something about: newest limb first, the best of a limb before its others. */
  get all(): Proposal[] {
    const proposals = [...this.proposals.values()].filter((proposal) => proposal.state !== 'accepted');
    const arrival = new Map<string, number>();
    for (const proposal of proposals) arrival.set(proposal.limb, arrival.get(proposal.limb) ?? arrival.size);
    return proposals.sort(
      (one, other) => (arrival.get(other.limb) ?? 0) - (arrival.get(one.limb) ?? 0) || one.rank - other.rank,
    );
  }

  get open(): Proposal[] {
    return this.all.filter((proposal) => proposal.state !== 'rejected');
  }

  get(id: string): Proposal | undefined {
    return this.proposals.get(id);
  }

  /** The proposal that previews draw: the one that was chosen, else the best of the newest limb. */
  get current(): Proposal | undefined {
    const open = this.open;
    return open.find((proposal) => proposal.id === this.chosen) ?? open[0];
  }

  choose(id: string): void {
    if (this.chosen === id) return;
    this.chosen = id;
    this.tell();
  }

  /** Replaces everything, as after a restart of the server. */
  replace(proposals: readonly Proposal[]): void {
    this.proposals.clear();
    for (const proposal of proposals) this.proposals.set(proposal.id, proposal);
    for (const id of [...this.unticked.keys(), ...this.trials.keys()]) if (!this.proposals.has(id)) this.forget(id);
    this.tell();
  }

  receive(event: ProposalEvent): void {
    if (event.event === 'gone') {
      this.proposals.delete(event.id);
      this.forget(event.id);
    } else if (event.proposal) {
      this.put(event.proposal);
    }
    this.tell();
  }

  /** A proposal as an answer gave it; an older revision than the one held is dropped. */
  update(proposal: Proposal): void {
    this.put(proposal);
    this.tell();
  }

  isTicked(hunk: Hunk, id: string): boolean {
    return !hunk.rejected && !this.unticked.get(id)?.has(hunk.id);
  }

  /** The hunks that accepting would take; `undefined` for all that are not rejected, as the wire has it. */
  ticked(id: string): string[] | undefined {
    const proposal = this.proposals.get(id);
    if (!proposal || !this.unticked.get(id)?.size) return undefined;
    return proposal.hunks.filter((hunk) => this.isTicked(hunk, id)).map((hunk) => hunk.id);
  }

  tick(id: string, hunk: string, on: boolean): void {
    const unticked = this.unticked.get(id) ?? new Set<string>();
    if (on) unticked.delete(hunk);
    else unticked.add(hunk);
    this.unticked.set(id, unticked);
    // Set at once, so that nothing offers to accept what nobody has sensed yet.
    if (unticked.size > 0) this.trials.set(id, { kind: 'trying' });
    else this.trials.delete(id);
    this.tell();
  }

  trial(id: string): Trial {
    return this.trials.get(id) ?? { kind: 'whole' };
  }

  /** What came of trying `hunks`; dropped when other hunks are ticked by now. */
  settleTrial(id: string, hunks: readonly string[], answer: Accepted): void {
    if (this.ticked(id)?.join() !== hunks.join()) return;
    this.trials.set(id, { kind: 'tried', answer });
    this.tell();
  }

  /** Whether Accept is offered for what is ticked. */
  canAccept(id: string): boolean {
    const trial = this.trial(id);
    if (this.ticked(id)?.length === 0) return false;
    return trial.kind === 'whole' || (trial.kind === 'tried' && trial.answer.status === 'tried');
  }

  private put(proposal: Proposal): void {
    const held = this.proposals.get(proposal.id);
    if (held && held.revision > proposal.revision) return;
    this.proposals.set(proposal.id, proposal);
    // A trial was of the revision before; what is still ticked off is tried again by whoever listens.
    if (held && held.revision !== proposal.revision && this.trials.has(proposal.id)) {
      this.trials.set(proposal.id, { kind: 'trying' });
    }
  }

  private forget(id: string): void {
    this.unticked.delete(id);
    this.trials.delete(id);
    if (this.chosen === id) this.chosen = undefined;
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
