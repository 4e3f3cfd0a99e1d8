// shadow.mjs VSIX SHOTS: the main job in a real VS Code with the real server: what is not saved hurts the file that
// depends on it, undoing it cures that, and a limb's proposal is accepted into the buffer while the disk stays as it is.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { drive, until } from './driver.mjs';

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

  await page.click('.tab:has-text("test_baskets.py")');
  await goTo(page, 9);
  await editor.command('Octolimb: Repair Failing Tests');
  await editor.command('Octolimb: Show Proposals');
  await editor.sees('.pane-body .monaco-list-row:has-text("discount")');
  await page.click('.tab:has-text("baskets.py"):not(:has-text("test_"))');
  await editor.sees('.codelens-decoration:has-text("Proposal: 1 line")');
  editor.passed('a limb proposes a repair, drawn over the code');
  await editor.shot('real-proposal');

  await editor.command('Octolimb: Accept Proposal');
  await editor.sees('.view-line:has-text("(100 - discount)")');
  await until(() => onDisk() === before, 'the disk as it was');
  await editor.sees('.tab.dirty:has-text("baskets.py")');
  editor.passed('accepting edits the buffer and leaves the disk alone');
  await editor.shot('real-accepted');

  await page.keyboard.press('Control+Z');
  await editor.sees('.view-line:has-text("(100 + discount)")');
  editor.passed('the editor’s undo takes it back');
});

async function goTo(page, line) {
  await page.keyboard.press('Control+G');
  await page.waitForSelector('.quick-input-widget input:visible');
  await page.keyboard.type(String(line));
  await page.keyboard.press('Enter');
}
