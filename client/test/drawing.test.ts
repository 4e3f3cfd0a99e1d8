import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anchor, draw, shift } from '../src/drawing';
import { hunk, span } from './builders';

const ANCHORED = { hunk: hunk(), span: span(5, 6) };

function drawn(oldText: string, newText: string) {
  return draw({ hunk: hunk({ oldText, newText }), span: span(5, 6) });
}

test('only hunks whose lines are as they were are drawn, whatever their line ends', () => {
  assert.equal(anchor([hunk()], () => 'a = 1\r\n').length, 1);
  assert.equal(anchor([hunk()], () => 'a = 3\n').length, 0);
  assert.equal(anchor([hunk({ rejected: true })], () => 'a = 1\n').length, 0);
});

test('an edit before a hunk moves it, one after leaves it, one inside drops it', () => {
  assert.deepEqual(shift([ANCHORED], span(0, 0), '\n\n'), [{ ...ANCHORED, span: span(7, 8) }]);
  assert.deepEqual(shift([ANCHORED], span(5, 5), 'x\n'), [{ ...ANCHORED, span: span(6, 7) }]);
  assert.deepEqual(shift([ANCHORED], span(1, 3), ''), [{ ...ANCHORED, span: span(3, 4) }]);
  assert.deepEqual(shift([ANCHORED], span(6, 9), ''), [ANCHORED]);
  const inside = { start: { line: 5, character: 2 }, end: { line: 5, character: 3 } };
  assert.deepEqual(shift([ANCHORED], inside, 'b'), []);
  assert.deepEqual(shift([ANCHORED], span(4, 5), 'joined'), []);
});

test('a line that stays alike shows what differs in its place, a sign with the words beside it', () => {
  assert.deepEqual(drawn('return total * (100 + discount)\n', 'return total * (100 - discount)\n'), [
    { line: 5, removed: [16, 30], added: '100 - discount' },
  ]);
  assert.deepEqual(drawn('return compute_totals(prices)\n', 'return compute_total(prices)\n'), [
    { line: 5, removed: [7, 21], added: 'compute_total' },
  ]);
});

test('a line that does not stay alike is drawn whole, and further lines are counted', () => {
  assert.deepEqual(drawn('    x = 1\n', '    with open(path) as file:\n        y = 2\n'), [
    { line: 5, removed: [4, 9], added: '→ with open(path) as file:  (+1 more)' },
  ]);
  assert.deepEqual(drawn('gone\n', ''), [{ line: 5, removed: [0, 4], added: '' }]);
});

test('what is only added hangs on the line before it', () => {
  const insertion = { hunk: hunk({ oldText: '', newText: 'import os\nimport re\n' }), span: span(3, 3) };
  assert.deepEqual(draw(insertion), [{ line: 2, removed: null, added: '+ import os  (+1 more)' }]);
});
