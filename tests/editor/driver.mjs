// A real VS Code with the extension in it, driven in a browser. Everything is waited for by what can be seen.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const { TOOLS, BROWSER } = process.env;
const { chromium } = createRequire(`${TOOLS}/package.json`)('playwright-core');
const PATIENCE = 120_000; // A hang ends the run; nothing waits that long when it works.

/**
 * Runs `scenes(editor)` on a fresh copy of the small project and ends the process: with 0 if all went well, else with a
 * screenshot of the failure. `environment(state)` adds variables for the server.
 */
export async function drive(vsix, shots, scenes, { environment = () => ({}), patience = PATIENCE } = {}) {
  const state = mkdtempSync(join(tmpdir(), 'octolimb-editor-'));
  const editor = new Editor(state, resolve(shots), patience);
  mkdirSync(editor.shots, { recursive: true });
  execFileSync('bash', [join(here, 'make_project.sh'), editor.project]);
  const port = await freePort();
  // A process group of its own, so that the whole of it can be ended.
  const server = spawn('bash', [join(here, 'serve.sh'), TOOLS, resolve(vsix), state, String(port)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment(state) },
  });
  const output = [];
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (chunk) => output.push(chunk));
  const ended = new Promise((_, reject) => {
    server.on('exit', (code) => reject(new Error(`the editor's server ended with ${code}\n${Buffer.concat(output)}`)));
  });
  ended.catch(() => {});
  try {
    await Promise.race([listening(port), ended]);
    await editor.open(port, server.pid);
    await Promise.race([scenes(editor), ended]);
    console.log(`editor: ${editor.count} passed; screenshots in ${shots}`);
  } catch (error) {
    await editor.shot('failed').catch(() => {});
    console.error(`editor: FAILED: ${error.stack}\nscreenshot: ${join(shots, 'failed.png')}`);
    process.exitCode = 1;
  } finally {
    await editor.browser?.close();
    endGroup(server.pid);
    rmSync(state, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
  process.exit();
}

class Editor {
  count = 0;

  constructor(state, shots, patience) {
    this.state = state;
    this.shots = shots;
    this.patience = patience;
    this.project = join(state, 'project');
  }

  async open(port, pid) {
    this.pid = pid;
    this.browser = await chromium.launch({
      executablePath: BROWSER,
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    });
    this.page = await this.browser.newPage({ viewport: { width: 1280, height: 800 } });
    this.page.setDefaultTimeout(this.patience);
    const folder = encodeURIComponent(this.project);
    await this.page.goto(`http://127.0.0.1:${port}/?folder=${folder}`, { waitUntil: 'domcontentloaded' });
  }

  passed(what) {
    this.count += 1;
    console.log(`  ok: ${what}`);
  }

  async shot(name) {
    await this.page.screenshot({ path: join(this.shots, `${name}.png`) });
  }

  async openFile(name, text) {
    await this.page.dblclick(`.explorer-folders-view .monaco-list-row:has-text("${name}")`);
    await this.sees(`.monaco-editor .view-line:has-text("${text}")`);
  }

  async sees(selector, options) {
    return this.page.waitForSelector(selector, options);
  }

  async statusBarSays(text) {
    await this.sees(`.statusbar-item:has-text("${text}")`);
  }

  async closeEditor() {
    await this.page.hover('.tab.active');
    await this.page.click('.tab.active .tab-actions .action-label');
  }

  async command(title) {
    const { page } = this;
    await page.keyboard.press('Control+Shift+P');
    await page.waitForSelector('.quick-input-widget input:visible');
    await page.keyboard.type(title, { delay: 5 });
    await page.waitForSelector(`.quick-input-list .monaco-list-row.focused:has-text("${title}")`);
    await page.keyboard.press('Enter');
  }

  /** The process ids of the language servers below the editor. */
  get servers() {
    const found = [];
    const queue = [this.pid];
    while (queue.length > 0) {
      const pid = queue.pop();
      const children = readProcess(pid, `task/${pid}/children`).trim();
      queue.push(...children.split(' ').filter(Boolean).map(Number));
      const words = readProcess(pid, 'cmdline').split('\0');
      if (words.includes('octolimb') && words.includes('serve')) found.push(pid);
    }
    return found;
  }
}

/** Asks until `probe` says something true. */
export async function until(probe, what, patience = 20_000) {
  const deadline = Date.now() + patience;
  while (Date.now() < deadline) {
    const found = await probe();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`waited in vain for ${what}`);
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
  await until(
    async () => (await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined))?.ok,
    "the editor's server to listen",
    PATIENCE,
  );
}
