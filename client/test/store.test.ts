import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProposalStore } from '../src/store';
import { hunk, proposal } from './builders';

const TWO = proposal({ id: 'p', hunks: [hunk({ id: 'h1' }), hunk({ id: 'h2', needs: ['h1'] })] });

test('the newest limb comes first, the best of it before its others, and what is accepted is gone', () => {
  const store = new ProposalStore();
  store.replace([
    proposal({ id: 'old', limb: 'l1' }),
    proposal({ id: 'second', limb: 'l2', rank: 2 }),
    proposal({ id: 'best', limb: 'l2', rank: 1 }),
    proposal({ id: 'done', limb: 'l2', state: 'accepted' }),
  ]);
  assert.deepEqual(
    store.all.map(({ id }) => id),
    ['best', 'second', 'old'],
  );
  assert.equal(store.current?.id, 'best');
  store.choose('old');
  assert.equal(store.current?.id, 'old');
  store.receive({ event: 'gone', id: 'old' });
  assert.equal(store.current?.id, 'best');
});

test('an older revision never replaces a newer one', () => {
  const store = new ProposalStore();
  store.update(proposal({ id: 'p', revision: 3, why: 'new' }));
  store.receive({ event: 'changed', id: 'p', proposal: proposal({ id: 'p', revision: 2, why: 'old' }) });
  assert.equal(store.get('p')?.why, 'new');
});

test('all hunks may be accepted at once; a part only after it was tried and held', () => {
  const store = new ProposalStore();
  store.update(TWO);
  assert.equal(store.ticked('p'), undefined);
  assert.equal(store.canAccept('p'), true);
  store.tick('p', 'h1', false);
  assert.deepEqual(store.ticked('p'), ['h2']);
  assert.equal(store.canAccept('p'), false);
  const regressed = { status: 'regressed', message: 'Hunk 2 needs hunk 1.', needs: ['h1'], conflicts: [] } as const;
  store.settleTrial('p', ['h2'], regressed);
  assert.equal(store.canAccept('p'), false);
  store.settleTrial('p', ['h2'], { ...regressed, status: 'tried' });
  assert.equal(store.canAccept('p'), true);
});

test('a trial of other hunks than are ticked now is dropped', () => {
  const store = new ProposalStore();
  store.update(TWO);
  store.tick('p', 'h2', false);
  store.settleTrial('p', ['h2'], { status: 'tried', message: '', needs: [], conflicts: [] });
  assert.equal(store.canAccept('p'), false);
  store.tick('p', 'h1', false);
  assert.deepEqual(store.ticked('p'), []);
  assert.equal(store.canAccept('p'), false);
});

test('a new revision makes a trial of the old one worth nothing', () => {
  const store = new ProposalStore();
  store.update(TWO);
  store.tick('p', 'h1', false);
  store.settleTrial('p', ['h2'], { status: 'tried', message: '', needs: [], conflicts: [] });
  store.update({ ...TWO, revision: 2 });
  assert.equal(store.canAccept('p'), false);
});

test('listeners are told of a change until they stop listening', () => {
  const store = new ProposalStore();
  let told = 0;
  const listening = store.onDidChange(() => {
    told += 1;
  });
  store.update(TWO);
  listening.dispose();
  store.update({ ...TWO, revision: 2 });
  assert.equal(told, 1);
});
