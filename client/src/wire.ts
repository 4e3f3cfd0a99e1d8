/**
 * What goes over the wire on the custom methods, as types: the mirror of the server's `documents/wire.py`.
 *
 * Values only. An answer may have more keys than are named here; a request must not.
 */

export interface Place {
  readonly line: number;
  readonly character: number;
}

export interface Span {
  readonly start: Place;
  readonly end: Place;
}

export interface Finding {
  readonly path: string;
  readonly range: Span;
  readonly severity: 'error' | 'warning' | 'information' | 'hint';
  readonly source: string;
  readonly code: string;
  readonly message: string;
  readonly new: boolean;
  readonly test?: string;
  readonly detail?: string;
}

export interface Sensor {
  readonly name: string;
  readonly status: 'ran' | 'skipped' | 'crashed';
  readonly ms: number;
  readonly why?: string;
  readonly hint?: string;
}

export interface Isolation {
  readonly files: 'overlay' | 'reflink' | 'copy';
  readonly sandbox: 'full' | 'partial' | 'none';
  readonly network: boolean;
}

export interface TestCounts {
  readonly mode: 'impacted' | 'full' | 'none';
  readonly selected: number;
  readonly passed: number;
  readonly failed: number;
  readonly errors: number;
  readonly skipped: number;
  readonly failures: readonly string[];
  /** The node ids of what was skipped, where the server tells them. */
  readonly skips?: readonly string[];
}

export interface Verdict {
  readonly root: string;
  readonly generation: number;
  readonly green: boolean;
  readonly regressed: boolean;
  readonly complete: boolean;
  readonly level: string;
  readonly isolation: Isolation;
  readonly sensors: readonly Sensor[];
  readonly findings: readonly Finding[];
  readonly tests: TestCounts;
  readonly ms: number;
}

export interface Reason {
  readonly policy: string;
  readonly path?: string | null;
  readonly range?: Span;
  readonly message: string;
  readonly fix?: string;
}

export interface Decision {
  readonly decision: 'allow' | 'ask' | 'deny';
  readonly reasons: readonly Reason[];
}

export type LimbKind = 'diagnostic' | 'test' | 'goal' | 'refactor';

export interface LimbStart {
  readonly kind: LimbKind;
  readonly uri: string;
  readonly range?: Span;
  readonly version?: number;
  readonly text?: string;
}

export type LimbState =
  | 'queued'
  | 'generating'
  | 'staging'
  | 'sensing'
  | 'twitching'
  | 'confirming'
  | 'judging'
  | 'proposed'
  | 'surrendered'
  | 'cancelled'
  | 'failed';

export interface LimbStatus {
  readonly limb: string;
  readonly state: LimbState;
  readonly kind: LimbKind;
  readonly uri: string;
  readonly attempts: number;
  readonly seconds: number;
  readonly detail: string;
  readonly proposals: readonly string[];
}

export interface Hunk {
  readonly id: string;
  readonly uri: string;
  /** In the file before the change. */
  readonly range: Span;
  /** In the file after the change. */
  readonly after: Span;
  readonly oldText: string;
  readonly newText: string;
  readonly needs: readonly string[];
  readonly rejected: boolean;
}

export interface ChangedFile {
  readonly uri: string;
  readonly kind: 'create' | 'modify' | 'delete' | 'rename';
  readonly oldUri?: string;
}

export interface Proposal {
  readonly id: string;
  readonly limb: string;
  readonly rank: number;
  readonly state: 'open' | 'stale' | 'accepted' | 'rejected';
  readonly files: readonly ChangedFile[];
  readonly hunks: readonly Hunk[];
  readonly why: string;
  readonly pain: readonly string[];
  readonly coder: string;
  readonly attempts: number;
  readonly decision: Decision;
  readonly green: boolean;
  readonly tests: TestCounts;
  readonly generation: number;
  readonly revision: number;
}

export interface ProposalEvent {
  readonly event: 'new' | 'changed' | 'gone';
  readonly id: string;
  readonly proposal?: Proposal;
}

export interface Accepted {
  readonly status: 'applied' | 'tried' | 'ask' | 'denied' | 'regressed' | 'conflict' | 'stale' | 'failed';
  readonly message: string;
  readonly needs: readonly string[];
  readonly conflicts: readonly string[];
  readonly decision?: Decision;
  readonly verdict?: Verdict;
}

export interface ShadowContent {
  readonly text: string | null;
  readonly generation: number;
}

export interface ListedTest {
  readonly id: string;
  readonly label: string;
  readonly uri: string;
  readonly range?: Span;
  readonly children: readonly ListedTest[];
}

export interface WentBack {
  readonly status: 'applied' | 'nothing' | 'unknown' | 'failed';
  readonly message: string;
  readonly uris: readonly string[];
}

export interface CauseFound {
  readonly status: 'found' | 'nothing' | 'unknown';
  readonly message: string;
  readonly hunks: readonly Hunk[];
  readonly pains: readonly string[];
  readonly tried: number;
}

export interface Doctor {
  readonly version: string;
  readonly root: string;
  readonly trusted: boolean;
  readonly python: string;
  readonly isolation: Isolation;
  readonly capabilities: readonly { readonly name: string; readonly holds: boolean; readonly advice: string }[];
  readonly ready: boolean;
}

/** Each request: what it takes and what it is answered with. A request that a server does not announce is not sent. */
export interface Requests {
  'octolimb/limb/start': [LimbStart, { readonly limb: string }];
  'octolimb/limb/cancel': [{ limb: string }, null];
  'octolimb/proposal/list': [Record<string, never>, { readonly proposals: readonly Proposal[] }];
  'octolimb/proposal/show': [{ id: string }, { readonly proposal: Proposal; readonly diff: string; verdict: Verdict }];
  'octolimb/proposal/accept': [{ id: string; hunks?: readonly string[]; confirmed?: boolean }, Accepted];
  'octolimb/proposal/reject': [{ id: string; hunks?: readonly string[] }, Proposal];
  'octolimb/proposal/restore': [{ id: string; hunks?: readonly string[] }, Proposal];
  'octolimb/proposal/try': [{ id: string; hunks: readonly string[] }, Accepted];
  'octolimb/shadow/content': [{ uri: string; proposal?: string; side?: 'before' | 'after' }, ShadowContent];
  'octolimb/sense': [{ uris?: readonly string[]; tests?: TestCounts['mode']; named?: readonly string[] }, Verdict];
  'octolimb/tests/list': [{ uri?: string }, { readonly generation: number; readonly tests: readonly ListedTest[] }];
  'octolimb/green/back': [{ uri?: string }, WentBack];
  'octolimb/green/cause': [{ uri?: string }, CauseFound];
  'octolimb/doctor': [{ uri?: string }, Doctor];
}

export type Method = keyof Requests;

/** Every method that has something to show here, and the context key that a menu's `when` clause asks for. */
export const CONTEXT_KEYS: Readonly<Record<Method, string>> = {
  'octolimb/limb/start': 'octolimb.can.startLimb',
  'octolimb/limb/cancel': 'octolimb.can.cancelLimb',
  'octolimb/proposal/list': 'octolimb.can.list',
  'octolimb/proposal/show': 'octolimb.can.show',
  'octolimb/proposal/accept': 'octolimb.can.accept',
  'octolimb/proposal/reject': 'octolimb.can.reject',
  'octolimb/proposal/restore': 'octolimb.can.restore',
  'octolimb/proposal/try': 'octolimb.can.try',
  'octolimb/shadow/content': 'octolimb.can.readShadow',
  'octolimb/sense': 'octolimb.can.sense',
  'octolimb/tests/list': 'octolimb.can.listTests',
  'octolimb/green/back': 'octolimb.can.goBack',
  'octolimb/green/cause': 'octolimb.can.findCause',
  'octolimb/doctor': 'octolimb.can.doctor',
};

export const METHODS = Object.keys(CONTEXT_KEYS) as Method[];

/** Reads the methods that a server's `initialize` answer announces; whatever is not as expected announces nothing. */
export function announcedMethods(experimental: unknown): ReadonlySet<string> {
  const ours = (experimental as { octolimb?: { methods?: unknown } } | undefined)?.octolimb?.methods;
  return new Set(Array.isArray(ours) ? ours.filter((name): name is string => typeof name === 'string') : []);
}
