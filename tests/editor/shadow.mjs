// shadow.mjs VSIX SHOTS: a real VS Code with the real server: what is not saved hurts the file that depends on it, undoing
// it cures that, and the disk stays as it is.

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

  if (onDisk() !== before) throw new Error('the file on the disk was changed');
  editor.passed('nothing was written to the disk');
});

async function goTo(page, line) {
  await page.keyboard.press('Control+G');
  await page.waitForSelector('.quick-input-widget input:visible');
  await page.keyboard.type(String(line));
  await page.keyboard.press('Enter');
}
