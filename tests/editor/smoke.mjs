// smoke.mjs VSIX SHOTS: the extension activates in a real VS Code and its server answers; the server's loss is told of,
// and a restart cures it. Everything is waited for by what can be seen; a wait that fails leaves a screenshot.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const [vsix, shots] = process.argv.slice(2).map((path) => resolve(path));
const { TOOLS, BROWSER } = process.env;
const { chromium } = createRequire(`${TOOLS}/package.json`)('playwright-core');
const PATIENCE = 120_000; // A hang ends the run; nothing waits that long when it works.

const state = mkdtempSync(join(tmpdir(), 'octolimb-editor-'));
const project = join(state, 'project');
execFileSync('bash', [join(here, 'make_project.sh'), project]);
mkdirSync(shots, { recursive: true });

const port = await freePort();
// A process group of its own, so that the whole of it can be ended.
const editor = spawn('bash', [join(here, 'serve.sh'), TOOLS, vsix, state, String(port)], {
  detached: true,
  stdio: ['ignore', 'pipe', 'pipe'],
});
const output = [];
for (const stream of [editor.stdout, editor.stderr]) stream.on('data', (chunk) => output.push(chunk));
const ended = new Promise((_, reject) => {
  editor.on('exit', (code) => reject(new Error(`the editor's server ended with ${code}\n${Buffer.concat(output)}`)));
});
ended.catch(() => {});

let browser;
let page;
try {
  await Promise.race([drive(), ended]);
  console.log(`editor: 4 passed; screenshots in ${shots}`);
} catch (error) {
  await page?.screenshot({ path: join(shots, 'failed.png') }).catch(() => {});
  console.error(`editor: FAILED: ${error.message}\nscreenshot: ${join(shots, 'failed.png')}`);
  process.exitCode = 1;
} finally {
  await browser?.close();
  endGroup(editor.pid);
  rmSync(state, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
process.exit();

async function drive() {
  await listening(port);
  browser = await chromium.launch({
    executablePath: BROWSER,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(project)}`, { waitUntil: 'domcontentloaded' });

  await page.dblclick('.explorer-folders-view .monaco-list-row:has-text("baskets.py")');
  await page.waitForSelector('.monaco-editor .view-line:has-text("prices in cents")');
  await statusBarSays('octolimb: ready');
  passed('the extension activates on a Python file and its server answers');
  await page.screenshot({ path: join(shots, 'ready.png') });

  const first = serverOf(editor.pid);
  if (first.length !== 1) throw new Error(`one server was expected, found ${first.length}`);
  process.kill(first[0], 'SIGKILL');
  await statusBarSays('octolimb: stopped');
  await page.waitForSelector('.notifications-toasts .notification-list-item:has-text("has stopped")');
  passed('a lost server is told of, with a way out');
  await page.screenshot({ path: join(shots, 'stopped.png') });

  await command('Octolimb: Restart Server');
  await statusBarSays('octolimb: ready');
  const second = serverOf(editor.pid);
  if (second.length !== 1 || second[0] === first[0]) throw new Error('a fresh server was expected');
  passed('a restart brings a fresh one');

  await command('Octolimb: Show Log');
  await page.waitForSelector('.output-view .view-line:has-text("session for")');
  passed('the log has the server’s own lines');
  await page.screenshot({ path: join(shots, 'log.png') });
}

function passed(what) {
  console.log(`  ok: ${what}`);
}

async function statusBarSays(text) {
  await page.waitForSelector(`.statusbar-item:has-text("${text}")`);
}

async function command(title) {
  await page.keyboard.press('Control+Shift+P');
  await page.waitForSelector('.quick-input-widget input:visible');
  await page.keyboard.type(title, { delay: 5 });
  await page.waitForSelector(`.quick-input-list .monaco-list-row.focused:has-text("${title}")`);
  await page.keyboard.press('Enter');
}

/** The process ids of the language servers below a process. */
function serverOf(ancestor) {
  const found = [];
  const queue = [ancestor];
  while (queue.length > 0) {
    const pid = queue.pop();
    const children = readProcess(pid, `task/${pid}/children`).trim();
    queue.push(...children.split(' ').filter(Boolean).map(Number));
    const words = readProcess(pid, 'cmdline').split('\0');
    if (words.includes('octolimb') && words.includes('serve')) found.push(pid);
  }
  return found;
}

function readProcess(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return ''; // It ended meanwhile.
  }
}

function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

async function listening(port) {
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`the editor's server does not listen\n${Buffer.concat(output)}`);
}
