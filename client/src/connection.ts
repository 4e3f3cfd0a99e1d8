/**
 * The server's life in the editor: start, restart after a loss, stop; and the one door for requests and notifications.
 *
 * One change at a time, in order. It computes nothing: ids and settings go out, what the server says comes in.
 */

import * as vscode from 'vscode';
import { CloseAction, ErrorAction, LanguageClient, State, type StaticFeature } from 'vscode-languageclient/node';
import { hasCodeIntelligence } from './neighbours';
import { probeServer } from './probe';
import { delayBeforeRestart, recentLosses } from './restarts';
import { chooseServerPython, explainFailure, initializationOptions, type Settings, serverCommand } from './server';
import {
  announcedMethods,
  CONTEXT_KEYS,
  type LimbStatus,
  METHODS,
  type Method,
  type ProposalEvent,
  type Requests,
  type Verdict,
} from './wire';

export interface Life {
  readonly state: 'starting' | 'restarting' | 'ready' | 'stopped';
  /** One line for a person: the version and the interpreter, or what went wrong. */
  readonly detail: string;
}

export class Connection implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private methods: ReadonlySet<string> = new Set();
  private losses: number[] = [];
  private turn: Promise<void> = Promise.resolve();
  private readonly started = new vscode.EventEmitter<void>();
  private readonly lived = new vscode.EventEmitter<Life>();
  private readonly limb = new vscode.EventEmitter<LimbStatus>();
  private readonly verdict = new vscode.EventEmitter<Verdict>();
  private readonly proposal = new vscode.EventEmitter<ProposalEvent>();

  /** A fresh server answers: whatever was known of the one before has to be asked for again. */
  readonly onDidStart = this.started.event;
  readonly onDidChangeLife = this.lived.event;
  readonly onLimb = this.limb.event;
  readonly onVerdict = this.verdict.event;
  readonly onProposal = this.proposal.event;

  constructor(
    private readonly directory: string,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** Starts the server, a running one anew. Problems are shown, never thrown. */
  restart(): Promise<void> {
    this.losses = [];
    return this.inTurn(async () => {
      await this.stopClient();
      await this.startClient('starting');
    });
  }

  stop(): Promise<void> {
    return this.inTurn(() => this.stopClient());
  }

  /** Whether the running server has announced it. */
  serves(method: Method | 'octolimb/standBack'): boolean {
    return this.client !== undefined && this.methods.has(method);
  }

  /** Rejects with an error for a person where the server does not answer, or answers with an error. */
  async ask<M extends Method>(
    method: M,
    params: Requests[M][0],
    token?: vscode.CancellationToken,
  ): Promise<Requests[M][1]> {
    if (!this.client) throw new Error('Octolimb is not running.');
    if (!this.methods.has(method)) throw new Error('This version of Octolimb’s server cannot do that yet.');
    // A third argument that is undefined would be sent as a second parameter.
    return token ? this.client.sendRequest(method, params, token) : this.client.sendRequest(method, params);
  }

  /** A notification; nothing happens where the server does not take it. */
  tell(method: 'octolimb/standBack', params: unknown): void {
    if (this.serves(method)) void this.client?.sendNotification(method, params);
  }

  dispose(): void {
    for (const emitter of [this.started, this.lived, this.limb, this.verdict, this.proposal]) emitter.dispose();
  }

  private inTurn(change: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(change).catch((error: unknown) => {
      this.log.error(error instanceof Error ? error : String(error));
      this.lived.fire({ state: 'stopped', detail: 'Something went wrong; the log has the details.' });
    });
    return this.turn;
  }

  private async startClient(state: 'starting' | 'restarting'): Promise<void> {
    const settings = readSettings();
    const serverPython = chooseServerPython(settings.serverPython, process.env, process.platform);
    this.lived.fire({ state, detail: `Starting with ${serverPython}` });
    const probe = await probeServer(serverPython, this.directory);
    if (probe.kind !== 'found') {
      if (probe.kind === 'failed') this.log.error(probe.stderr);
      this.fail(explainFailure(serverPython, probe));
      return;
    }
    const client = this.makeClient(settings, serverPython);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.client = undefined;
      this.log.error(error instanceof Error ? error : String(error));
      // One that was lost while it came back is lost once more; one that never ran has another fault.
      if (state === 'restarting') this.recover();
      else this.fail(explainFailure(serverPython, { kind: 'failed', stderr: '' }));
      return;
    }
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Stopped && this.client === client) this.recover();
    });
    this.announce(announcedMethods(client.initializeResult?.capabilities.experimental));
    this.lived.fire({ state: 'ready', detail: `Octolimb ${probe.version}, ${serverPython}` });
    this.started.fire();
  }

  /** The server was lost. It comes back by itself, a little later each time; a person is asked when that does not help. */
  private recover(): void {
    this.client = undefined;
    this.announce(new Set());
    const now = Date.now();
    const delay = delayBeforeRestart(this.losses, now);
    this.losses = [...recentLosses(this.losses, now), now];
    if (delay === undefined) {
      this.fail('Octolimb’s server has stopped again and again. The log has the details.', 'Restart');
      return;
    }
    this.log.warn(`The server has stopped; it is started again in ${delay} ms.`);
    this.lived.fire({ state: 'restarting', detail: 'The server was lost and is coming back.' });
    setTimeout(() => {
      void this.inTurn(async () => {
        if (!this.client) await this.startClient('restarting');
      });
    }, delay);
  }

  private async stopClient(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    this.announce(new Set());
    await client?.dispose();
  }

  /** Menus and keys show only what is announced: each method has a context key that their conditions name. */
  private announce(methods: ReadonlySet<string>): void {
    this.methods = methods;
    for (const method of METHODS) {
      void vscode.commands.executeCommand('setContext', CONTEXT_KEYS[method], methods.has(method));
    }
  }

  private makeClient(settings: Settings, serverPython: string): LanguageClient {
    const { command, args } = serverCommand(serverPython);
    const surroundings = { trusted: vscode.workspace.isTrusted, hasCodeIntelligence: hasCodeIntelligence() };
    const client = new QuietClient(
      'octolimb',
      'Octolimb',
      { command, args: [...args], options: { cwd: this.directory } },
      {
        documentSelector: [{ language: 'python', scheme: 'file' }],
        outputChannel: this.log,
        initializationOptions: initializationOptions(settings, serverPython, surroundings),
        initializationFailedHandler: () => false,
        // `recover` knows how often it was lost, and tells a person once; the library's own restarts would not.
        errorHandler: {
          error: () => ({ action: ErrorAction.Continue, handled: true }),
          closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
        },
      },
    );
    client.registerFeature(showsProposals);
    client.onNotification('octolimb/limb', (status: LimbStatus) => this.limb.fire(status));
    client.onNotification('octolimb/verdict', (verdict: Verdict) => this.verdict.fire(verdict));
    client.onNotification('octolimb/proposal', (event: ProposalEvent) => this.proposal.fire(event));
    return client;
  }

  private fail(message: string, wayOut: 'Open Settings' | 'Restart' = 'Open Settings'): void {
    this.log.error(message);
    this.lived.fire({ state: 'stopped', detail: message });
    void this.offerWaysOut(message, wayOut);
  }

  private async offerWaysOut(message: string, wayOut: string): Promise<void> {
    const choice = await vscode.window.showErrorMessage(message, wayOut, 'Show Log');
    if (choice === 'Show Log') this.log.show();
    if (choice === 'Restart') await this.restart();
    if (choice === 'Open Settings') {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'octolimb.serverPython');
    }
  }
}

/** Tells the server that limbs and proposals are shown here, so that it need not ask about them in message boxes. */
const showsProposals: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = { ...capabilities.experimental, octolimb: true };
  },
  initialize: () => {},
  getState: () => ({ kind: 'static' }),
  clear: () => {},
};

/** Logs its failures: `fail` tells a person of them once, with a way out, and two boxes for one fault help nobody. */
class QuietClient extends LanguageClient {
  override error(message: string, details?: unknown): void {
    super.error(message, details, false);
  }
}

function readSettings(): Settings {
  const configuration = vscode.workspace.getConfiguration('octolimb');
  return {
    trusted: configuration.get('trusted', 'auto'),
    serverPython: configuration.get('serverPython', ''),
    python: configuration.get('python', ''),
    sensors: configuration.get('sensors', []),
    tests: configuration.get('tests', 'auto'),
    coder: configuration.get('coder', 'auto'),
    model: configuration.get('model', ''),
    codeIntelligence: configuration.get('codeIntelligence', 'auto'),
  };
}
