/** Wire values with everything in them, short to write in a test. */

import type { Finding, Hunk, Proposal, Span, Verdict } from '../src/wire';

export function span(line: number, end: number): Span {
  return { start: { line, character: 0 }, end: { line: end, character: 0 } };
}

export function hunk(more: Partial<Hunk> = {}): Hunk {
  const range = span(5, 6);
  const texts = { oldText: 'a = 1\n', newText: 'a = 2\n' };
  return { id: 'h1', uri: 'file:///p/a.py', range, after: range, ...texts, needs: [], rejected: false, ...more };
}

export function proposal(more: Partial<Proposal> = {}): Proposal {
  return {
    id: 'p',
    limb: 'l',
    rank: 1,
    state: 'open',
    files: [{ uri: 'file:///p/a.py', kind: 'modify' }],
    hunks: [hunk()],
    why: 'because',
    pain: ['test_a fails'],
    coder: 'offline',
    attempts: 3,
    decision: { decision: 'allow', reasons: [] },
    green: true,
    tests: { mode: 'impacted', selected: 12, passed: 12, failed: 0, errors: 0, skipped: 0, failures: [] },
    generation: 1,
    revision: 1,
    ...more,
  };
}

export function verdict(more: Partial<Verdict> = {}): Verdict {
  return {
    root: '/p',
    generation: 1,
    green: true,
    regressed: false,
    complete: true,
    level: 'L1',
    isolation: { files: 'overlay', sandbox: 'full', network: true },
    sensors: [{ name: 'tests', status: 'ran', ms: 1 }],
    findings: [],
    tests: { mode: 'none', selected: 0, passed: 0, failed: 0, errors: 0, skipped: 0, failures: [] },
    ms: 1,
    ...more,
  };
}

export function finding(more: Partial<Finding> = {}): Finding {
  const range = span(0, 0);
  return { path: 'a.py', range, severity: 'error', source: 'lint', code: 'F821', message: 'no', new: true, ...more };
}
