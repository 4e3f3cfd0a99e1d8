import assert from 'node:assert/strict';
import { test } from 'node:test';
import { delayBeforeRestart } from '../src/restarts';
import { announcedMethods } from '../src/wire';
import {
  hunkState,
  lensReason,
  lensTitle,
  limbText,
  proposalTitle,
  trialText,
  verdictText,
  whyLines,
} from '../src/words';
import { finding, hunk, proposal, verdict } from './builders';

const TESTS = { mode: 'impacted', selected: 0, passed: 0, failed: 0, errors: 0, skipped: 0, failures: [] } as const;

test('the status bar says what holds, and whether it is saved', () => {
  const red = (...findings: ReturnType<typeof finding>[]) => verdict({ green: false, findings });
  const cases: [string, string][] = [
    [verdictText(red(finding(), finding()), true), '2 pains, unsaved'],
    [verdictText(red(finding(), finding({ new: false })), true), '1 pain, unsaved'],
    [verdictText(red(finding(), finding({ new: false })), false), '2 pains'],
    [verdictText(red(finding({ severity: 'warning' })), true), 'not green, unsaved'],
    [verdictText(verdict({ green: false, complete: false }), false), 'not all sensed'],
    [verdictText(verdict({ green: false, regressed: true }), false), 'worse than before'],
    [verdictText(verdict(), true), 'green, unsaved'],
    [verdictText(verdict({ tests: { ...TESTS, passed: 27 } }), true), '27 impacted tests pass, unsaved'],
    [verdictText(verdict({ tests: { ...TESTS, passed: 1, mode: 'full' } }), false), '1 test passes'],
  ];
  for (const [said, wanted] of cases) assert.equal(said, wanted);
});

test('a limb at work is told with its twitches and seconds; one that ended is not', () => {
  const limb = { limb: 'l', kind: 'test', uri: '', attempts: 14, seconds: 3.9, detail: '', proposals: [] } as const;
  assert.equal(limbText({ ...limb, state: 'twitching' }), 'limb: twitch 14, 3 s');
  assert.equal(limbText({ ...limb, state: 'generating', attempts: 0 }), 'limb: looking, 3 s');
  for (const state of ['proposed', 'surrendered', 'cancelled', 'failed'] as const) {
    assert.equal(limbText({ ...limb, state }), undefined);
  }
});

test('a proposal is told in one line: size, colour, decision', () => {
  assert.equal(proposalTitle(proposal()), 'Proposal: 1 line, green (12 impacted), allowed');
  const reasons = [{ policy: 'no-secrets', message: 'a token was added.', fix: 'read it from the environment' }];
  const denied = proposal({ decision: { decision: 'deny', reasons } });
  assert.equal(lensTitle(denied, undefined), 'Proposal denied by no-secrets');
  assert.equal(lensReason(denied), 'no-secrets: a token was added. What helps: read it from the environment.');
  assert.equal(lensReason(proposal()), undefined);
});

test('hunks are numbered for people, and say what they need', () => {
  const needy = hunk({ id: 'x2', needs: ['x1'] });
  const two = proposal({ hunks: [hunk({ id: 'x1' }), needy] });
  assert.equal(hunkState(two, needy), 'needs hunk 1');
  assert.equal(hunkState(two, hunk({ id: 'x1' })), 'safe alone');
  assert.equal(hunkState(two, hunk({ rejected: true })), 'rejected');
});

test('what is ticked in part is told as sensed only when it is', () => {
  assert.equal(trialText({ kind: 'whole' }, 2, 2), undefined);
  assert.equal(trialText({ kind: 'trying' }, 1, 2), 'sensing 1 of 2 hunks');
  assert.equal(trialText({ kind: 'trying' }, 0, 2), 'nothing is ticked');
});

test('why is three lines that name what ran', () => {
  const [hurt, tried, holds] = whyLines(proposal());
  assert.equal(hurt, 'test_a fails');
  assert.equal(tried, 'because (offline, 3 attempts)');
  assert.equal(holds, 'green, 12 impacted tests pass; the guard: allowed');
});

test('a lost server comes back ever later, and not a fifth time within three minutes', () => {
  assert.equal(delayBeforeRestart([], 0), 250);
  assert.equal(delayBeforeRestart([0, 1000], 2000), 1000);
  assert.equal(delayBeforeRestart([0, 1, 2, 3], 4), undefined);
  assert.equal(delayBeforeRestart([0, 1, 2, 3], 180_003), 250);
});

test('only what a server names is announced', () => {
  const said = { octolimb: { protocol: 1, methods: ['octolimb/sense', 7] } };
  assert.deepEqual([...announcedMethods(said)], ['octolimb/sense']);
  for (const odd of [undefined, {}, { octolimb: { methods: 'octolimb/sense' } }]) {
    assert.equal(announcedMethods(odd).size, 0);
  }
});
