// shadow.mjs VSIX SHOTS: a real VS Code with the real server: what is not saved hurts the file that depends on it, undoing
// it cures that; a limb repairs a failing test, and what it proposes is accepted, undone and rejected; tests run on what is
// unsaved; the disk stays as it is.

import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { drive, until } from './driver.mjs';

const PROPOSAL = '.codelens-decoration:has-text("Proposal: 1 line")';
const [vsix, shots] = process.argv.slice(2);

await drive(vsix, shots, async (editor) => {
  const { page, project } = editor;
  const onDisk = () => readFileSync(join(project, 'baskets.py'), 'utf8');
  const before = onDisk();

  await editor.openFile('test_baskets.py', 'from baskets import total');
  await editor.openFile('baskets.py', 'prices in cents');
  await editor.statusBarSays('green');
  editor.passed('a folder that hurts nowhere is green');

  await goTo(page, 4);
  await page.keyboard.press('End');
  await page.keyboard.press('Shift+Home');
  await page.keyboard.insertText('def sum_of(prices: list[int], discount: int = 0) -> int:');
  await page.click('.tab:has-text("test_baskets.py")');
  await editor.sees('.squiggly-error');
  await editor.statusBarSays('pain');
  editor.passed('an unsaved change raises a squiggle in the file that depends on it');
  await editor.shot('unsaved-pain');

  await page.click('.tab:has-text("baskets.py"):not(:has-text("test_"))');
  await until(async () => {
    await page.keyboard.press('Control+Z');
    return (await page.$('.view-line:has-text("def total(")')) ?? undefined;
  }, 'the text as it was');
  await editor.statusBarSays('green');
  editor.passed('undoing it is green again');

  // The failing test is put right by a limb, while another file is in front.
  await page.click('.tab:has-text("test_baskets.py")');
  await goTo(page, 9);
  await editor.command('Octolimb: Repair Failing Tests');
  await page.click('.tab:has-text("baskets.py"):not(:has-text("test_"))');
  await editor.sees(PROPOSAL);
  await editor.shot('real-proposal');
  editor.passed('a limb repairs the failing test, and its proposal is drawn over the code');
  if (await shows(page, '100 - discount')) throw new Error('the buffer was changed before anybody accepted');

  await page.click('.codelens-decoration a:text-is("Accept")');
  await editor.sees('.view-line:has-text("(100 - discount)")');
  await editor.sees('.tab.dirty:has-text("baskets.py")');
  await editor.statusBarSays('Accepted: it is just what was sensed. Nothing is saved yet.');
  await page.waitForSelector(PROPOSAL, { state: 'detached' });
  editor.passed('accepting changes the buffer');
  await editor.shot('real-accepted');

  await editor.command('Octolimb: Sense Now');
  await editor.statusBarSays('2 impacted tests pass, unsaved');
  editor.passed('the tests pass on what is unsaved');
  await editor.shot('real-tests');

  await page.click('.view-line:has-text("(100 - discount)")');
  await until(async () => {
    await page.keyboard.press('Control+Z');
    return shows(page, '(100 + discount)');
  }, 'the text before the proposal');
  editor.passed('undo takes the proposal back');

  await editor.command('Octolimb: Sense Now');
  await page.click('.tab:has-text("test_baskets.py")');
  await editor.sees('.squiggly-error');
  await editor.shot('real-failing');
  editor.passed('without it the test fails, where it stands');
  await goTo(page, 9);
  await editor.command('Octolimb: Fix This Problem');
  await page.click('.tab:has-text("baskets.py"):not(:has-text("test_"))');
  await editor.sees(PROPOSAL);
  // There may be several, one behind the other; the icon at the side tells how many.
  for (let open = await proposals(page); open > 0; open -= 1) {
    await page.click('.codelens-decoration a:text-is("Reject")');
    await until(async () => (await proposals(page)) === open - 1, 'one proposal less');
  }
  await page.waitForSelector(PROPOSAL, { state: 'detached' });
  if (!(await shows(page, '(100 + discount)'))) throw new Error('rejecting changed the buffer');
  editor.passed('rejecting changes nothing');

  // Files that come and go outside of the editor.
  await page.click('.tab:has-text("baskets.py"):not(:has-text("test_"))');
  await editor.closeEditor();
  await page.click('.tab:has-text("test_baskets.py")');
  renameSync(join(project, 'baskets.py'), join(project, 'goods.py'));
  await editor.sees('.squiggly-error');
  await editor.shot('real-renamed');
  renameSync(join(project, 'goods.py'), join(project, 'baskets.py'));
  await page.waitForSelector('.squiggly-error', { state: 'detached' });
  editor.passed('a file that is renamed elsewhere is missed, and seen when it is back');

  if (await page.$('.notification-toast')) throw new Error('a message popped up');
  editor.passed('nothing popped up');

  if (onDisk() !== before) throw new Error('the file on the disk was changed');
  editor.passed('nothing was written to the disk');
});

async function proposals(page) {
  const badge = await page.$('.activitybar .badge-content:visible');
  return badge ? Number(await badge.textContent()) : 0;
}

async function shows(page, text) {
  return (await page.$(`.view-line:has-text("${text}")`)) !== null;
}

async function goTo(page, line) {
  await page.keyboard.press('Control+G');
  await page.waitForSelector('.quick-input-widget input:visible');
  await page.keyboard.type(String(line));
  await page.keyboard.press('Enter');
}
