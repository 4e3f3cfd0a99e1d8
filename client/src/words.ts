/** What a person reads, made from what the server said. Pure and plain: no state is guessed, none is left out. */

import type { Trial } from './store';
import type { Decision, Hunk, LimbStatus, Proposal, Verdict } from './wire';

export function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}

/** `unsaved` says whether any buffer differs from the disk: then only what that made worse is counted. */
export function verdictText(verdict: Verdict, unsaved: boolean): string {
  const suffix = unsaved ? ', unsaved' : '';
  if (!verdict.green) {
    const errors = verdict.findings.filter((finding) => finding.severity === 'error' && (finding.new || !unsaved));
    if (errors.length > 0) return count(errors.length, 'pain') + suffix;
    if (!verdict.complete) return `not all sensed${suffix}`;
    return `${verdict.regressed ? 'worse than before' : 'not green'}${suffix}`;
  }
  const { mode, passed } = verdict.tests;
  if (mode === 'none' || passed === 0) return `green${suffix}`;
  const which = mode === 'impacted' ? 'impacted ' : '';
  return `${passed} ${which}test${passed === 1 ? ' passes' : 's pass'}${suffix}`;
}

/** While it works; `undefined` once it has ended. */
export function limbText(status: LimbStatus): string | undefined {
  const seconds = `${Math.floor(status.seconds)} s`;
  switch (status.state) {
    case 'queued':
      return 'limb: waiting';
    case 'confirming':
      return `limb: confirming, ${seconds}`;
    case 'judging':
      return `limb: asking the guard, ${seconds}`;
    case 'generating':
    case 'staging':
    case 'sensing':
    case 'twitching':
      return status.attempts > 0 ? `limb: twitch ${status.attempts}, ${seconds}` : `limb: looking, ${seconds}`;
    default:
      return undefined;
  }
}

/** `Proposal: 1 line, green (12 impacted), allowed`. */
export function proposalTitle(proposal: Proposal): string {
  return `Proposal: ${sizeText(proposal)}, ${colourText(proposal)}, ${decisionText(proposal.decision)}`;
}

/** The line above the code. What can be done follows it at once, so it is short; the guard's reason comes last. */
export function lensTitle(proposal: Proposal, partly: string | undefined): string {
  if (proposal.decision.decision !== 'allow') return `Proposal ${decisionText(proposal.decision)}`;
  return partly ? `Proposal: ${partly}` : proposalTitle(proposal);
}

/** Why the guard denies or asks, in one line; the first reason and how many more there are. */
export function lensReason(proposal: Proposal): string | undefined {
  const [reason, ...others] = reasonLines(proposal.decision);
  if (proposal.decision.decision === 'allow' || !reason) return undefined;
  return others.length > 0 ? `${reason} (+${others.length} more)` : reason;
}

export function sizeText(proposal: Proposal): string {
  const lines = proposal.hunks.reduce(
    (sum, hunk) => sum + Math.max(lineCount(hunk.oldText), lineCount(hunk.newText)),
    0,
  );
  return proposal.files.length > 1 ? `${count(lines, 'line')} in ${proposal.files.length} files` : count(lines, 'line');
}

export function colourText(proposal: Proposal): string {
  const { mode, passed } = proposal.tests;
  const tests = mode === 'none' ? '' : ` (${passed} ${mode})`;
  return (proposal.green ? 'green' : 'not green') + tests;
}

export function decisionText(decision: Decision): string {
  if (decision.decision === 'allow') return 'allowed';
  const policies = [...new Set(decision.reasons.map((reason) => reason.policy))].join(', ');
  const by = policies ? ` by ${policies}` : '';
  return decision.decision === 'deny' ? `denied${by}` : `needs your yes${policies ? ` (${policies})` : ''}`;
}

/** One line for each reason: the policy, where, what, and how it would pass. */
export function reasonLines(decision: Decision | undefined): string[] {
  return (decision?.reasons ?? []).map((reason) => {
    const line = reason.range ? ` line ${reason.range.start.line + 1}` : '';
    const place = reason.path && !reason.message.includes(reason.path) ? `${reason.path}${line}: ` : '';
    return `${reason.policy}: ${place}${reason.message}${reason.fix ? ` What helps: ${reason.fix}.` : ''}`;
  });
}

/** Hunks are numbered for people in the order that the proposal has them. */
export function hunkNumber(proposal: Proposal, id: string): string {
  const index = proposal.hunks.findIndex((hunk) => hunk.id === id);
  return index < 0 ? id : String(index + 1);
}

export function hunkState(proposal: Proposal, hunk: Hunk): string {
  if (hunk.rejected) return 'rejected';
  if (hunk.needs.length === 0) return proposal.hunks.length === 1 ? 'all of it' : 'safe alone';
  const numbers = hunk.needs.map((id) => hunkNumber(proposal, id));
  return `needs hunk ${numbers.join(' and ')}`;
}

export function hunkLabel(hunk: Hunk): string {
  const lines = (hunk.newText.trim() || hunk.oldText.trim()).split('\n');
  const first = (lines[0] ?? '').trim();
  return hunk.newText.trim() ? first : `remove ${first}`;
}

/** What is ticked, when it is not everything. */
export function trialText(trial: Trial, ticked: number, all: number): string | undefined {
  if (trial.kind === 'whole') return undefined;
  const part = `${ticked} of ${all} hunks`;
  if (ticked === 0) return 'nothing is ticked';
  if (trial.kind === 'trying') return `sensing ${part}`;
  return trial.answer.status === 'tried' ? `${part}: green` : `${part}: ${trial.answer.message}`;
}

/** Three lines: what hurt, what was tried, what holds it. */
export function whyLines(proposal: Proposal): [string, string, string] {
  const { tests } = proposal;
  const ran =
    tests.mode === 'none'
      ? 'no tests ran'
      : `${tests.passed} ${tests.mode} tests pass${tests.failed + tests.errors > 0 ? `, ${tests.failed + tests.errors} do not` : ''}`;
  const holds = `${proposal.green ? 'green' : 'not green'}, ${ran}; the guard: ${decisionText(proposal.decision)}`;
  const tried = `${proposal.why || 'no reason was given'} (${proposal.coder}, ${count(proposal.attempts, 'attempt')})`;
  return [proposal.pain.join('; ') || 'not told', tried, holds];
}

export function isolationText(verdict: Verdict): string {
  const { sandbox, files, network } = verdict.isolation;
  return `${sandbox} (files: ${files}, network: ${network ? 'cut off' : 'reachable'})`;
}

export function lineCount(text: string): number {
  if (text === '') return 0;
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}
