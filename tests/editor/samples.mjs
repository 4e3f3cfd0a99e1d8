// Proposals and verdicts as the server sends them, short to write in a scene.

export function verdictOf(root, { passed = 0, failed = 0, failures = [] } = {}, generation = 1) {
  const findings = failures.map((test) => ({
    path: test.split('::')[0],
    range: { start: { line: 8, character: 4 }, end: { line: 8, character: 49 } },
    severity: 'error',
    source: 'tests',
    code: 'AssertionError',
    message: 'expected 900, got 1100',
    new: true,
    test,
    detail: '>       assert total([250, 750], discount=10) == 900\nE       assert 1100 == 900',
  }));
  return {
    schema: 'octolimb/verdict/1',
    root,
    generation,
    green: failed === 0,
    regressed: failed > 0,
    complete: true,
    level: 'L1',
    isolation: { files: 'overlay', sandbox: 'full', network: true },
    sensors: ['syntax', 'lint', 'types', 'tests'].map((name) => ({ name, status: 'ran', ms: 12 })),
    findings,
    tests: { mode: 'impacted', selected: passed + failed, passed, failed, errors: 0, skipped: 0, failures },
    ms: 340,
  };
}

/** A hunk that puts lines in the place of one line. */
export function hunkOf(id, uri, line, [oldLine, newLines], needs = []) {
  const count = newLines.split('\n').length;
  return {
    id,
    uri,
    range: { start: { line, character: 0 }, end: { line: line + 1, character: 0 } },
    after: { start: { line, character: 0 }, end: { line: line + count, character: 0 } },
    oldText: `${oldLine}\n`,
    newText: `${newLines}\n`,
    needs,
    rejected: false,
  };
}

export function proposalOf(id, hunks, more = {}) {
  const uris = [...new Set(hunks.map(({ uri }) => uri))];
  return {
    id,
    limb: `limb of ${id}`,
    rank: 1,
    state: 'open',
    files: uris.map((uri) => ({ uri, kind: 'modify' })),
    hunks,
    why: '',
    pain: ['test_baskets.py::test_a_discount_makes_it_cheaper: expected 900, got 1100'],
    coder: 'offline',
    attempts: 15,
    decision: decision('allow'),
    green: true,
    tests: { mode: 'impacted', selected: 12, passed: 12, failed: 0, errors: 0, skipped: 0, failures: [] },
    generation: 1,
    revision: 1,
    ...more,
  };
}

export function decision(kind, policy, message, more = {}) {
  const reasons = policy ? [{ policy, path: null, message, ...more }] : [];
  return { schema: 'octolimb/decision/1', decision: kind, reasons, policies: '' };
}
