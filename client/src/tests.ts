/**
 * "Shadow Tests" in the Test Explorer: tests found by reading, run on what is unsaved, failures told at their line.
 *
 * Only in trusted workspaces, since running a test runs the folder's own code. What the server does not tell passed is
 * not shown as passed.
 */

import * as vscode from 'vscode';
import type { Connection } from './connection';
import { problem } from './messages';
import { outcomes } from './outcomes';
import { rangeOf } from './preview';
import type { StatusBar } from './status';
import type { Finding, ListedTest, Verdict } from './wire';

const REFRESH_DELAY_MS = 600;

export class ShadowTests implements vscode.Disposable {
  private controller: vscode.TestController | undefined;
  private readonly items = new Map<string, vscode.TestItem>();
  private readonly continuous = new Set<vscode.TestRunRequest>();
  private readonly failing = new Set<string>();
  private readonly stale = new Map<string, NodeJS.Timeout>();
  private readonly subscription: vscode.Disposable;

  constructor(
    private readonly connection: Connection,
    private readonly statusBar: StatusBar,
  ) {
    this.subscription = vscode.Disposable.from(
      connection.onDidStart(() => this.begin()),
      connection.onVerdict((verdict) => this.showWhileTyping(verdict)),
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.refreshSoon(document)),
      vscode.workspace.onDidOpenTextDocument((document) => this.refreshSoon(document)),
    );
  }

  /** The test that the cursor stands in, by what was listed: the innermost that has the place. */
  testAt(uri: vscode.Uri, position: vscode.Position): vscode.TestItem | undefined {
    const key = uri.toString();
    const around = [...this.items.values()].filter(
      (item) => item.uri?.toString() === key && item.range?.contains(position) && item.children.size === 0,
    );
    return around.at(-1);
  }

  itemOf(nodeId: string): vscode.TestItem | undefined {
    return this.items.get(nodeId) ?? this.items.get(nodeId.replace(/\[.*$/s, ''));
  }

  dispose(): void {
    for (const timer of this.stale.values()) clearTimeout(timer);
    this.controller?.dispose();
    this.subscription.dispose();
  }

  private begin(): void {
    const wanted = vscode.workspace.isTrusted && this.connection.serves('octolimb/sense');
    if (!wanted || !this.connection.serves('octolimb/tests/list')) {
      this.controller?.dispose();
      this.controller = undefined;
      this.items.clear();
      return;
    }
    this.controller ??= this.makeController();
    void this.list();
  }

  private makeController(): vscode.TestController {
    const controller = vscode.tests.createTestController('octolimb.tests', 'Shadow Tests');
    controller.refreshHandler = () => this.list();
    const run = (request: vscode.TestRunRequest, token: vscode.CancellationToken) =>
      request.continuous ? this.runContinuously(request, token) : this.run(request, token);
    controller.createRunProfile('Run in the Shadow', vscode.TestRunProfileKind.Run, run, true, undefined, true);
    return controller;
  }

  private refreshSoon(document: vscode.TextDocument): void {
    const { uri } = document;
    if (!this.controller || document.languageId !== 'python' || uri.scheme !== 'file') return;
    const key = uri.toString();
    clearTimeout(this.stale.get(key));
    this.stale.set(
      key,
      setTimeout(() => {
        this.stale.delete(key);
        void this.list(uri);
      }, REFRESH_DELAY_MS),
    );
  }

  /** Asks for the tests of one file, or of all. */
  private async list(uri?: vscode.Uri): Promise<void> {
    try {
      const { tests } = await this.connection.ask('octolimb/tests/list', uri ? { uri: uri.toString() } : {});
      const roots = tests.map((test) => this.adopt(test));
      if (!uri) {
        this.controller?.items.replace(roots);
        return;
      }
      const key = uri.toString();
      this.controller?.items.forEach((item) => {
        if (item.uri?.toString() === key && !roots.includes(item)) this.controller?.items.delete(item.id);
      });
      for (const root of roots) this.controller?.items.add(root);
    } catch {
      // A file that cannot be read now keeps the tests that it had; the next change asks again.
    }
  }

  private adopt(test: ListedTest): vscode.TestItem {
    const uri = vscode.Uri.parse(test.uri);
    const known = this.items.get(test.id);
    const item =
      known?.uri?.toString() === uri.toString()
        ? known
        : (this.controller as vscode.TestController).createTestItem(test.id, test.label, uri);
    item.label = test.label;
    item.range = test.range && rangeOf(test.range);
    this.items.set(test.id, item);
    const children = test.children.map((child) => this.adopt(child));
    item.children.forEach((child) => {
      if (!children.includes(child)) this.items.delete(child.id);
    });
    item.children.replace(children);
    return item;
  }

  private async run(request: vscode.TestRunRequest, token: vscode.CancellationToken): Promise<void> {
    const controller = this.controller;
    if (!controller) return;
    const wanted = this.leavesOf(request);
    const run = controller.createTestRun(request, 'on unsaved state', false);
    for (const item of wanted) run.started(item);
    const params = request.include
      ? ({ tests: 'impacted', named: wanted.map((item) => item.id) } as const)
      : ({ tests: 'full' } as const);
    try {
      const verdict = await this.statusBar.whileSensing(this.connection.ask('octolimb/sense', params, token));
      this.statusBar.showVerdict(verdict);
      this.tell(run, verdict, wanted);
    } catch (error) {
      if (!token.isCancellationRequested) {
        const message = error instanceof Error ? error.message : String(error);
        for (const item of wanted) run.errored(item, new vscode.TestMessage(message));
        problem(error);
      }
    } finally {
      run.end();
    }
  }

  private runContinuously(request: vscode.TestRunRequest, token: vscode.CancellationToken): void {
    this.continuous.add(request);
    token.onCancellationRequested(() => this.continuous.delete(request));
  }

  /** While a person types, the server senses by itself; continuous run shows what it says. */
  private showWhileTyping(verdict: Verdict): void {
    if (!this.controller || verdict.tests.mode === 'none') return;
    for (const request of this.continuous) {
      const leaves = this.leavesOf(request);
      const run = this.controller.createTestRun(request, 'while typing, on unsaved state', false);
      // A verdict says of failures which they are, and of the rest only how many: those that failed before are told.
      this.tell(
        run,
        verdict,
        leaves.filter((item) => this.failing.has(item.id)),
      );
      run.end();
    }
  }

  private tell(run: vscode.TestRun, verdict: Verdict, wanted: readonly vscode.TestItem[]): void {
    const told = outcomes(
      verdict,
      wanted.map((item) => item.id),
    );
    for (const [id, { outcome, findings }] of told) {
      const item = this.itemOf(id);
      if (!item) continue;
      if (outcome === 'passed') run.passed(item);
      if (outcome === 'skipped') run.skipped(item);
      const messages = findings.map((finding) => messageOf(verdict, finding));
      if (outcome === 'failed') run.failed(item, messages.length > 0 ? messages : new vscode.TestMessage('It failed.'));
      if (outcome === 'errored') run.errored(item, messages);
      if (outcome === 'failed' || outcome === 'errored') this.failing.add(item.id);
      else this.failing.delete(item.id);
    }
    const { passed, failed, errors, skipped } = verdict.tests;
    run.appendOutput(`${passed} passed, ${failed} failed, ${errors} errors, ${skipped} skipped\r\n`);
    for (const finding of verdict.findings) {
      if (finding.detail) run.appendOutput(`\r\n${finding.detail.replace(/\r?\n/g, '\r\n')}\r\n`);
    }
  }

  private leavesOf(request: vscode.TestRunRequest): vscode.TestItem[] {
    const leaves: vscode.TestItem[] = [];
    const excluded = new Set(request.exclude?.map((item) => item.id));
    const visit = (item: vscode.TestItem) => {
      if (excluded.has(item.id)) return;
      if (item.children.size === 0) leaves.push(item);
      else item.children.forEach(visit);
    };
    if (request.include) request.include.forEach(visit);
    else this.controller?.items.forEach(visit);
    return leaves;
  }
}

function messageOf(verdict: Verdict, finding: Finding): vscode.TestMessage {
  const message = new vscode.TestMessage(finding.message);
  const uri = vscode.Uri.joinPath(vscode.Uri.file(verdict.root), finding.path);
  message.location = new vscode.Location(uri, rangeOf(finding.range));
  return message;
}
