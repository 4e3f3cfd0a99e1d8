/**
 * The server's life in the editor: start, restart, stop, and the status bar item that tells which.
 *
 * One change at a time, in order. It computes nothing: ids and settings go out, what the server says comes in.
 */

import * as vscode from 'vscode';
import { CloseAction, ErrorAction, LanguageClient, State } from 'vscode-languageclient/node';
import { probeServer } from './probe';
import { chooseServerPython, explainFailure, initializationOptions, type Settings, serverCommand } from './server';

type Status = 'starting' | 'ready' | 'stopped';

const ICONS: Record<Status, string> = { starting: '$(sync~spin)', ready: '$(check)', stopped: '$(error)' };

export class Connection implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private turn: Promise<void> = Promise.resolve();
  private readonly status: vscode.StatusBarItem;

  constructor(
    private readonly directory: string,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.status = vscode.window.createStatusBarItem('octolimb.status', vscode.StatusBarAlignment.Right, 50);
    this.status.name = 'Octolimb';
    this.status.command = 'octolimb.showLog';
  }

  /** Starts the server, a running one anew. Problems are shown, never thrown. */
  restart(): Promise<void> {
    return this.inTurn(async () => {
      await this.stopClient();
      await this.startClient();
    });
  }

  stop(): Promise<void> {
    return this.inTurn(() => this.stopClient());
  }

  dispose(): void {
    this.status.dispose();
  }

  private inTurn(change: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(change).catch((error: unknown) => {
      this.log.error(error instanceof Error ? error : String(error));
      this.show('stopped', 'Something went wrong; the log has the details.');
    });
    return this.turn;
  }

  private async startClient(): Promise<void> {
    const settings = readSettings();
    const serverPython = chooseServerPython(settings.serverPython, process.env, process.platform);
    this.show('starting', `Starting with ${serverPython}`);
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
      this.fail(explainFailure(serverPython, { kind: 'failed', stderr: '' }));
      return;
    }
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Stopped && this.client === client) {
        this.client = undefined;
        this.fail('Octolimb’s server has stopped. The log has the details.');
      }
    });
    this.show('ready', `Octolimb ${probe.version}, ${serverPython}`);
  }

  private async stopClient(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.dispose();
  }

  private makeClient(settings: Settings, serverPython: string): LanguageClient {
    const { command, args } = serverCommand(serverPython);
    return new QuietClient(
      'octolimb',
      'Octolimb',
      { command, args: [...args], options: { cwd: this.directory } },
      {
        documentSelector: [{ language: 'python', scheme: 'file' }],
        outputChannel: this.log,
        initializationOptions: initializationOptions(settings, serverPython, vscode.workspace.isTrusted),
        initializationFailedHandler: () => false,
        // A lost server is told of once, by `fail`, with a way out; restarting in a loop would hide its cause.
        errorHandler: {
          error: () => ({ action: ErrorAction.Continue, handled: true }),
          closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
        },
      },
    );
  }

  private show(status: Status, tooltip: string): void {
    this.status.text = `${ICONS[status]} octolimb: ${status}`;
    this.status.tooltip = tooltip;
    this.status.show();
  }

  private fail(message: string): void {
    this.log.error(message);
    this.show('stopped', message);
    void this.offerWaysOut(message);
  }

  private async offerWaysOut(message: string): Promise<void> {
    const choice = await vscode.window.showErrorMessage(message, 'Open Settings', 'Show Log');
    if (choice === 'Show Log') this.log.show();
    if (choice === 'Open Settings') {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'octolimb.serverPython');
    }
  }
}

/** Logs its failures: `fail` tells a person of them once, with a way out, and two boxes for one fault help nobody. */
class QuietClient extends LanguageClient {
  override error(message: string, details?: unknown): void {
    super.error(message, details, false);
  }
}

function readSettings(): Settings {
  const configuration = vscode.workspace.getConfiguration('octolimb');
  return {
    serverPython: configuration.get('serverPython', ''),
    python: configuration.get('python', ''),
  };
}
