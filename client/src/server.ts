/**
 * Which server to start, with what, and what to tell a person when it cannot be started.
 *
 * Pure: settings and facts go in, values come out. It does NOT start anything and does not know the editor.
 */

/** The settings `octolimb.*` that the server is told of; empty or `auto` leaves the choice to it. */
export interface Settings {
  readonly trusted: string;
  readonly serverPython: string;
  readonly python: string;
  readonly sensors: readonly string[];
  readonly tests: string;
  readonly coder: string;
  readonly model: string;
  readonly codeIntelligence: string;
}

/** Those that a running server must be started anew for. */
export const SERVER_SETTINGS: readonly (keyof Settings)[] = [
  'trusted',
  'serverPython',
  'python',
  'sensors',
  'tests',
  'coder',
  'model',
  'codeIntelligence',
];

/** What the editor knows beside the settings. */
export interface Surroundings {
  /** The person trusts the workspace. */
  readonly trusted: boolean;
  /** Another extension answers hovers, definitions and completions in Python files. */
  readonly hasCodeIntelligence: boolean;
}

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

/** The server's `initializationOptions`; a name that is absent leaves the choice to the server. */
export interface InitializationOptions {
  readonly trusted: boolean;
  readonly python?: string;
  readonly serverPython: string;
  readonly sensors?: readonly string[];
  readonly tests?: string;
  readonly coder?: string;
  readonly model?: string;
  readonly codeIntelligence?: boolean;
}

/** What came of asking an interpreter for the server's version. */
export type Probe =
  | { readonly kind: 'found'; readonly version: string }
  | { readonly kind: 'absent'; readonly reason: string }
  | { readonly kind: 'failed'; readonly stderr: string };

/**
 * `-P` keeps the current directory off the module path: a repository that has a folder named `octolimb` must not be
 * imported in place of the server. It also tells 3.11 and newer from older interpreters, which do not know it.
 */
const SAFE = '-P';

/** The setting, else the environment's `OCTOLIMB_SERVER_PYTHON`, else the interpreter on the path. */
export function chooseServerPython(
  setting: string,
  environment: Readonly<Record<string, string | undefined>>,
  platform: string,
): string {
  return setting.trim() || environment.OCTOLIMB_SERVER_PYTHON?.trim() || (platform === 'win32' ? 'python' : 'python3');
}

export function serverCommand(serverPython: string): Command {
  return { command: serverPython, args: [SAFE, '-m', 'octolimb', 'serve'] };
}

/** Prints the server's version without starting it. */
export function probeCommand(serverPython: string): Command {
  return { command: serverPython, args: [SAFE, '-c', 'import octolimb; print(octolimb.__version__)'] };
}

export function initializationOptions(
  settings: Settings,
  serverPython: string,
  surroundings: Surroundings,
): InitializationOptions {
  const python = settings.python.trim();
  const model = settings.model.trim();
  const { sensors, tests, coder, codeIntelligence } = settings;
  return {
    trusted: surroundings.trusted && settings.trusted !== 'never',
    serverPython,
    ...(python ? { python } : {}),
    ...(sensors.length > 0 ? { sensors } : {}),
    ...(tests && tests !== 'auto' ? { tests } : {}),
    ...(coder && coder !== 'auto' ? { coder } : {}),
    ...(model ? { model } : {}),
    // Two extensions that answer the same hover show everything twice.
    codeIntelligence: codeIntelligence === 'auto' ? !surroundings.hasCodeIntelligence : codeIntelligence === 'on',
  };
}

/** One line for a person: what is missing and what to do about it. */
export function explainFailure(serverPython: string, probe: Exclude<Probe, { kind: 'found' }>): string {
  if (probe.kind === 'absent') {
    return `Octolimb cannot run ${serverPython} (${probe.reason}). Set octolimb.serverPython to a Python 3.11 or newer.`;
  }
  if (/unknown option -P/i.test(probe.stderr)) {
    return `Octolimb needs Python 3.11 or newer, and ${serverPython} is older. Set octolimb.serverPython to another.`;
  }
  if (/No module named '?octolimb/.test(probe.stderr)) {
    return `Octolimb is not installed in ${serverPython}. Install it there, or set octolimb.serverPython to where it is.`;
  }
  return `Octolimb's server does not start with ${serverPython}. The log has the details.`;
}
