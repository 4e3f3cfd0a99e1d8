// scenes.mjs VSIX SHOTS: what a person sees of limbs, proposals, the guard and shadow tests, in a real VS Code, with a
// server that says what each scene needs. A screenshot is left of every scene.

import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { drive, until } from './driver.mjs';
import { decision, hunkOf, proposalOf, verdictOf } from './samples.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const [vsix, shots] = process.argv.slice(2);

await drive(vsix, shots, scenes, {
  environment: (state) => {
    mkdirSync(join(state, 'fake'));
    script(state, { answers: 'octolimb/proposal/list', with: { proposals: [] } });
    for (const method of ['limb/start', 'limb/cancel', 'proposal/accept', 'proposal/reject', 'proposal/restore']) {
      script(state, { answers: `octolimb/${method}`, with: { limb: 'l1' } });
    }
    for (const method of ['proposal/try', 'proposal/show', 'shadow/content', 'sense', 'doctor', 'tests/list']) {
      script(state, { answers: `octolimb/${method}`, with: { tests: [], generation: 1 } });
    }
    return { OCTOLIMB_SERVER_PYTHON: join(here, 'fake_python.sh'), OCTOLIMB_FAKE: join(state, 'fake') };
  },
  patience: 20_000,
});

async function scenes(editor) {
  const { page, project, state } = editor;
  const uri = (name) => pathToFileURL(join(project, name)).href;
  const answers = (method, result, more = {}) =>
    script(state, { answers: `octolimb/${method}`, with: result, ...more });
  const tells = (method, params) => script(state, { send: { method: `octolimb/${method}`, params } });
  const heard = (method, times = 1) =>
    until(() => {
      const found = requests(state, `octolimb/${method}`);
      return found.length >= times ? found.at(-1) : undefined;
    }, `request ${times} of ${method}`);
  const lens = (text) => editor.sees(`.codelens-decoration:has-text("${text}")`);
  const press = async (text) => (await page.waitForSelector(`.codelens-decoration a:text-is("${text}")`)).click();
  const gone = (selector) => page.waitForSelector(selector, { state: 'detached' });
  const scene = async (name, what) => {
    await page.waitForTimeout(400); // Lets what fades in come to rest.
    await editor.shot(name);
    editor.passed(what);
  };

  const sign = hunkOf('h1', uri('baskets.py'), 5, [
    '    return sum(prices) * (100 + discount) // 100',
    '    return sum(prices) * (100 - discount) // 100',
  ]);
  const simple = proposalOf('p1', [sign], { why: 'Subtract the discount' });

  await editor.openFile('baskets.py', 'prices in cents');
  await editor.statusBarSays('octolimb: ready');
  // The item moves while the bar fills, and a hover over where it was shows nothing.
  await until(async () => {
    await page.mouse.move(600, 400);
    await page.hover('.statusbar-item:has-text("octolimb: ready")');
    await page.waitForTimeout(1500);
    return page.locator('.monaco-hover:has-text("Nothing is written until you save")').count();
  }, 'what the status bar tells of itself');
  await scene('01-ready', 'the status bar is ready and tells what holds');
  await page.keyboard.press('Escape');

  const failing = verdictOf(project, {
    passed: 1,
    failed: 1,
    failures: ['test_baskets.py::test_a_discount_makes_it_cheaper'],
  });
  tells('verdict', failing);
  await editor.statusBarSays('1 pain');
  tells('verdict', verdictOf(project, { passed: 27 }, 2));
  await editor.statusBarSays('27 impacted tests pass');
  await scene('02-verdicts', 'verdicts are told in the status bar');

  await editor.command('Octolimb: Fix This File');
  const started = await heard('limb/start');
  if (started.kind !== 'diagnostic' || started.uri !== uri('baskets.py') || started.version !== 1) {
    throw new Error(`not what was wanted: ${JSON.stringify(started)}`);
  }
  const limb = { limb: 'l1', kind: 'diagnostic', uri: uri('baskets.py'), detail: '', proposals: [] };
  tells('limb', { ...limb, state: 'twitching', attempts: 14, seconds: 3.2 });
  await editor.statusBarSays('limb: twitch 14, 3 s');
  await scene('03-limb', 'a limb at work is counted in the status bar');
  await page.click('.statusbar-item:has-text("limb: twitch")');
  await heard('limb/cancel');
  tells('limb', { ...limb, state: 'proposed', attempts: 15, seconds: 4, proposals: ['p1'] });
  await gone('.statusbar-item:has-text("limb: twitch")');
  editor.passed('a click there stops it');

  tells('proposal', { event: 'new', id: 'p1', proposal: simple });
  await lens('Proposal: 1 line, green (12 impacted), allowed');
  await editor.sees('.monaco-editor [class*="ced-"][class*="TextEditorDecorationType"]');
  const text = await page.locator('.editor-instance .view-lines').first().textContent();
  if (!text.replaceAll('\u00a0', ' ').includes('(100 + discount)')) throw new Error('the buffer was changed');
  await editor.command('Octolimb: Show Proposals');
  await editor.sees('.pane-body .monaco-list-row:has-text("Subtract the discount")');
  await scene('04-proposal', 'a proposal is drawn over the code and listed, and the buffer is as it was');

  const source = readFileSync(join(project, 'baskets.py'), 'utf8');
  const before = { text: source, generation: 1 };
  const after = { text: source.replace('100 + discount', '100 - discount'), generation: 1 };
  script(state, { answers: 'octolimb/shadow/content', sides: { before, after } });
  await press('Compare');
  await editor.sees('.multiDiffEntry');
  await scene('05-compare', 'Compare opens one multi-diff');
  await editor.closeEditor();

  await press('Why');
  const paper = (text) =>
    until(async () => {
      for (const frame of page.frames()) {
        if (
          (await frame
            .locator(`body:has-text("${text}")`)
            .count()
            .catch(() => 0)) &&
          frame !== page.mainFrame()
        )
          return true;
      }
      return false;
    }, `a page that says ${text}`);
  await paper('What was tried');
  await scene('06-why', 'Why tells what hurt, what was tried and what holds');
  await editor.closeEditor();

  const asking = { ...simple, revision: 2, decision: decision('ask', 'protected-paths', 'this edits the CI workflow') };
  tells('proposal', { event: 'changed', id: 'p1', proposal: asking });
  await lens('needs your yes (protected-paths)');
  answers('proposal/accept', { status: 'ask', message: 'asks', needs: [], conflicts: [], decision: asking.decision });
  await press('Accept');
  await editor.sees('.monaco-dialog-box:has-text("protected-paths")');
  await scene('07-ask', 'the guard’s question is a dialog that names the policy');
  const edit = {
    documentChanges: [
      { textDocument: { uri: uri('baskets.py'), version: 1 }, edits: [{ range: sign.range, newText: sign.newText }] },
    ],
  };
  answers(
    'proposal/accept',
    { status: 'applied', message: 'it is just what was sensed', needs: [], conflicts: [] },
    { first: [{ method: 'workspace/applyEdit', params: { edit } }] },
  );
  await page.click('.monaco-dialog-box .monaco-button:has-text("Accept")');
  if ((await heard('proposal/accept', 2)).confirmed !== true) throw new Error('the yes was not passed on');
  tells('proposal', { event: 'gone', id: 'p1' });
  await editor.sees('.monaco-editor .view-line:has-text("100 - discount")');
  await gone('.codelens-decoration:has-text("Proposal:")');
  await scene('08-accepted', 'what is accepted is in the buffer, unsaved');
  await page.click('.editor-instance .view-lines');
  await page.keyboard.press('Control+Z');

  const secret = decision('deny', 'no-secrets', 'a token was added in baskets.py line 6 (not shown).', {
    fix: 'read it from the environment',
  });
  tells('proposal', {
    event: 'new',
    id: 'p2',
    proposal: proposalOf('p2', [sign], { decision: secret, why: 'Ask the shop' }),
  });
  await lens('denied by no-secrets');
  if (await page.locator('.codelens-decoration a:text-is("Accept")').count()) throw new Error('Accept was offered');
  await scene('09-denied', 'what the guard denies has a shield and no Accept');
  tells('proposal', { event: 'gone', id: 'p2' });

  const [imported, used, told] = [
    hunkOf('h1', uri('baskets.py'), 0, [
      '"""A shop\'s basket: prices in cents."""',
      '"""A shop\'s basket: prices in cents."""\n\nimport math',
    ]),
    hunkOf(
      'h2',
      uri('baskets.py'),
      5,
      [sign.oldText.trimEnd(), '    return math.floor(sum(prices) * (100 - discount) / 100)'],
      ['h1'],
    ),
    hunkOf('h1b', uri('test_baskets.py'), 3, [
      'def test_without_a_discount_the_total_is_the_sum() -> None:',
      'def test_the_total_is_the_sum() -> None:',
    ]),
  ];
  const many = proposalOf('p3', [imported, used, told], { why: 'Round down once' });
  tells('proposal', { event: 'new', id: 'p3', proposal: many });
  await lens('Proposal: 5 lines in 2 files');
  await lens('Hunk 2: needs hunk 1');
  answers('proposal/try', { status: 'regressed', message: 'Hunk 2 needs hunk 1.', needs: ['h1'], conflicts: [] });
  await page.click(
    '.pane-body .monaco-list-row:has-text("line 1: safe alone") .monaco-custom-toggle, .pane-body .monaco-list-row:has-text("line 1: safe alone") .monaco-checkbox',
  );
  if ((await heard('proposal/try')).hunks.join() !== 'h2,h1b') throw new Error('the wrong hunks were tried');
  await editor.sees('.pane-body .monaco-list-row:has-text("2 of 3 hunks: Hunk 2 needs hunk 1")');
  if (await page.locator('.codelens-decoration a:text-is("Accept 2 of 3")').count())
    throw new Error('Accept was offered');
  await scene('10-hunks', 'what is unticked is sensed before Accept is offered');
  answers('proposal/accept', { status: 'regressed', message: 'Hunk 2 needs hunk 1.', needs: ['h1'], conflicts: [] });
  await editor.sees('.codelens-decoration:has-text("Hunk 2: needs")');
  await page.locator('.codelens-decoration:has-text("Hunk 2: needs") a:text-is("Accept Hunk")').click();
  await editor.sees('.notification-list-item:has-text("Hunk 2 needs hunk 1")');
  await scene('11-regressed', 'a hunk that needs another says so, with a way out');
  await page.keyboard.press('Escape');
  tells('proposal', { event: 'gone', id: 'p3' });

  const range = (line, end) => ({ start: { line, character: 0 }, end: { line: end, character: 0 } });
  const leaf = (name, line) => ({
    id: `test_baskets.py::${name}`,
    label: name,
    uri: uri('test_baskets.py'),
    range: range(line, line + 2),
    children: [],
  });
  const leaves = [leaf('test_without_a_discount_the_total_is_the_sum', 3), leaf('test_a_discount_makes_it_cheaper', 7)];
  answers('tests/list', {
    generation: 3,
    tests: [{ id: 'test_baskets.py', label: 'test_baskets.py', uri: uri('test_baskets.py'), children: leaves }],
  });
  answers('sense', { ...failing, generation: 3 });
  await editor.command('View: Show Explorer');
  await editor.openFile('test_baskets.py', 'from baskets import total');
  await editor.command('Test: Run Tests in Current File');
  await editor.sees('.monaco-editor .contentWidgets :text("expected 900, got 1100")');
  await editor.sees('.monaco-editor .codicon-testing-failed-icon');
  if ((await heard('sense')).tests !== 'impacted') throw new Error('the impacted tests were expected');
  await scene('12-tests', 'a failing test is told at its line');

  answers('doctor', {
    version: '1.0',
    root: project,
    trusted: true,
    python: 'python3',
    isolation: failing.isolation,
    ready: true,
    capabilities: [
      { name: 'overlay', holds: true, advice: 'The shadow is mounted over the folder itself.' },
      { name: 'model', holds: false, advice: 'None is set; none is needed.' },
    ],
  });
  await editor.command('Octolimb: What Works Here (Doctor)');
  await paper('mounted over the folder');
  await scene('13-doctor', 'the doctor’s page opens');

  // The pictures need room.
  await editor.command('View: Hide Panel');
  await page.keyboard.press('Control+B');
  await editor.command('Welcome: Open Walkthrough...');
  await page.keyboard.type('Get Started with Octolimb');
  await page.keyboard.press('Enter');
  await editor.sees('.gettingStartedContainer:has-text("You are in the shadow")');
  await page.waitForTimeout(800);
  await scene('14-walkthrough', 'the walkthrough has its four steps');
}

function script(state, step) {
  appendFileSync(join(state, 'fake', 'script.jsonl'), `${JSON.stringify(step)}\n`);
}

function requests(state, method) {
  const path = join(state, 'fake', 'heard.jsonl');
  if (!existsSync(path)) return [];
  const messages = readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return messages.filter((message) => message.method === method).map(({ params }) => params);
}
