/** The status bar: what holds now on the first item, what a limb does on the second. Nothing blinks and nothing jumps. */

import * as vscode from 'vscode';
import type { Connection, Life } from './connection';
import type { LimbStatus, Verdict } from './wire';
import { isolationText, limbText, verdictText } from './words';

/** Work that ends sooner than this shows no sign of it: a spinner that flashes tells nobody anything. */
const PATIENCE_MS = 500;

export class StatusBar implements vscode.Disposable {
  private readonly state = vscode.window.createStatusBarItem('octolimb.status', vscode.StatusBarAlignment.Right, 50);
  private readonly limb = vscode.window.createStatusBarItem('octolimb.limb', vscode.StatusBarAlignment.Right, 49);
  private readonly subscriptions: vscode.Disposable[];
  private life: Life = { state: 'starting', detail: '' };
  private verdict: Verdict | undefined;
  private sensing = 0;
  private late = false;
  private timer: NodeJS.Timeout | undefined;
  private ticker: NodeJS.Timeout | undefined;

  constructor(connection: Connection) {
    this.state.name = 'Octolimb';
    this.limb.name = 'Octolimb: limb at work';
    this.subscriptions = [
      this.state,
      this.limb,
      connection.onDidChangeLife((life) => {
        this.life = life;
        if (life.state !== 'ready') this.limb.hide();
        this.show();
      }),
      connection.onDidStart(() => {
        this.verdict = undefined;
        this.show();
      }),
      connection.onVerdict((verdict) => this.showVerdict(verdict)),
      vscode.workspace.onDidSaveTextDocument(() => this.show()),
      vscode.workspace.onDidCloseTextDocument(() => this.show()),
    ];
    this.show();
  }

  /** A verdict that was asked for, or that came by itself; an older one than what is shown is dropped. */
  showVerdict(verdict: Verdict): void {
    if (this.verdict && verdict.generation < this.verdict.generation) return;
    this.verdict = verdict;
    this.show();
  }

  /** Shows that something is being sensed until `work` settles, unless it is quick. */
  async whileSensing<T>(work: Promise<T>): Promise<T> {
    this.sensing += 1;
    this.timer ??= setTimeout(() => {
      this.late = true;
      this.show();
    }, PATIENCE_MS);
    try {
      return await work;
    } finally {
      this.sensing -= 1;
      if (this.sensing === 0) {
        clearTimeout(this.timer);
        this.timer = undefined;
        this.late = false;
        this.show();
      }
    }
  }

  /** The limb that is shown, or none. `others` are at work beside it. */
  showLimb(status: LimbStatus | undefined, others: number): void {
    clearInterval(this.ticker);
    const text = status && limbText(status);
    if (!status || !text) {
      this.limb.hide();
      return;
    }
    const heard = Date.now();
    const draw = () => {
      const seconds = status.seconds + (Date.now() - heard) / 1000;
      const beside = others > 0 ? ` (+${others})` : '';
      this.limb.text = `$(debug-stop) ${limbText({ ...status, seconds })}${beside}`;
    };
    draw();
    this.ticker = setInterval(draw, 1000);
    this.limb.tooltip = `${status.detail || 'A limb is at work in the shadow; your files stay as they are.'}\nClick to stop it.`;
    this.limb.command = { command: 'octolimb.cancelLimb', title: 'Stop', arguments: [status.limb] };
    this.limb.accessibilityInformation = { label: `${text}. Press to stop it.`, role: 'button' };
    this.limb.show();
  }

  dispose(): void {
    clearTimeout(this.timer);
    clearInterval(this.ticker);
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private show(): void {
    const [icon, text, command] = this.content();
    this.state.text = `$(${icon}) ${text}`;
    this.state.command = command;
    this.state.tooltip = this.tooltip();
    this.state.accessibilityInformation = { label: `Octolimb: ${text.replace('octolimb: ', '')}`, role: 'button' };
    this.state.show();
  }

  private content(): [icon: string, text: string, command: string] {
    if (this.life.state === 'stopped') return ['error', 'octolimb: stopped', 'octolimb.showLog'];
    if (this.life.state !== 'ready') return ['sync~spin', `octolimb: ${this.life.state}`, 'octolimb.showLog'];
    if (this.late) return ['loading~spin', 'octolimb: sensing', 'octolimb.showLog'];
    if (!this.verdict) return ['check', 'octolimb: ready', 'workbench.actions.view.problems'];
    const unsaved = vscode.workspace.textDocuments.some((document) => document.isDirty);
    const icon = this.verdict.green ? 'pass' : this.verdict.complete ? 'warning' : 'question';
    return [icon, verdictText(this.verdict, unsaved), 'workbench.actions.view.problems'];
  }

  private tooltip(): vscode.MarkdownString {
    const { verdict, life } = this;
    const lines = [life.detail || 'Octolimb'];
    if (life.state === 'ready') {
      lines.push(
        'You are in the shadow: what is sensed here is your unsaved state. Nothing is written until you save.',
      );
    }
    if (verdict && life.state === 'ready') {
      const sensors = verdict.sensors.map(({ name, status, why }) => `${name}: ${status}${why ? ` (${why})` : ''}`);
      lines.push(`**Isolation:** ${isolationText(verdict)}`, `**Sensors:** ${sensors.join(', ') || 'none'}`);
      lines.push(`**State:** number ${verdict.generation}, sensed in ${(verdict.ms / 1000).toFixed(1)} s`);
    }
    const links = ['[Log](command:octolimb.showLog)', '[What works here](command:octolimb.doctor)'];
    const tooltip = new vscode.MarkdownString([...lines, links.join(' · ')].join('\n\n'));
    tooltip.isTrusted = { enabledCommands: ['octolimb.showLog', 'octolimb.doctor'] };
    return tooltip;
  }
}
