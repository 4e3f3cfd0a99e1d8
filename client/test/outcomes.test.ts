import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomes } from '../src/outcomes';
import type { TestCounts, Verdict } from '../src/wire';
import { finding, verdict } from './builders';

const COUNTS: TestCounts = { mode: 'impacted', selected: 2, passed: 2, failed: 0, errors: 0, skipped: 0, failures: [] };

function told(more: Partial<TestCounts>, wanted: string[], rest: Partial<Verdict> = {}): string[] {
  const answer = outcomes(verdict({ tests: { ...COUNTS, ...more }, ...rest }), wanted);
  return [...answer].map(([id, { outcome }]) => `${id} ${outcome}`);
}

test('what fails is named, and the rest of what was wanted passed', () => {
  assert.deepEqual(told({ failures: ['t.py::a[1]'] }, ['t.py::a', 't.py::b']), ['t.py::a failed', 't.py::b passed']);
});

test('a test that fails and was not wanted is told too', () => {
  assert.deepEqual(told({ failures: ['u.py::c'] }, []), ['u.py::c failed']);
});

test('where the tests did not run, nothing passed', () => {
  const sensors = [{ name: 'tests', status: 'skipped', ms: 0 }] as const;
  assert.deepEqual(told({}, ['t.py::a'], { sensors }), ['t.py::a unknown']);
  assert.deepEqual(told({ mode: 'none' }, ['t.py::a']), ['t.py::a unknown']);
});

test('a skip that could be any of them leaves them open, unless the server names it', () => {
  assert.deepEqual(told({ skipped: 1 }, ['t.py::a', 't.py::b']), ['t.py::a unknown', 't.py::b unknown']);
  const named = { skipped: 1, skips: ['t.py::a'] };
  assert.deepEqual(told(named, ['t.py::a', 't.py::b']), ['t.py::a skipped', 't.py::b passed']);
  assert.deepEqual(told({ skipped: 1, passed: 0 }, ['t.py::a']), ['t.py::a skipped']);
});

test('a file that cannot be imported is the error of each of its tests', () => {
  const findings = [finding({ path: 't.py', source: 'tests', code: 'ImportError' })];
  assert.deepEqual(told({ errors: 1, passed: 1 }, ['t.py::a', 'u.py::b'], { findings }), [
    't.py::a errored',
    'u.py::b passed',
  ]);
});
