/**
 * What a verdict says of each test that was wanted. Pure.
 *
 * A verdict names the tests that fail and counts the rest. So a wanted test passed only if the tests ran whole and
 * nothing was skipped that could be this one: "did not run" is never "passed".
 */

import type { Finding, Verdict } from './wire';

export interface Outcome {
  readonly outcome: 'passed' | 'failed' | 'errored' | 'skipped' | 'unknown';
  readonly findings: readonly Finding[];
}

/** `wanted` are node ids without parameters; the answer has them and whatever else failed, keyed the same way. */
export function outcomes(verdict: Verdict, wanted: readonly string[]): ReadonlyMap<string, Outcome> {
  const told = new Map<string, Outcome>();
  const findings = verdict.findings.filter((finding) => finding.source === 'tests');
  for (const failure of verdict.tests.failures) {
    const id = withoutParameters(failure);
    const about = findings.filter((finding) => finding.test && withoutParameters(finding.test) === id);
    told.set(id, { outcome: 'failed', findings: about });
  }
  const ran = verdict.sensors.some(({ name, status }) => name === 'tests' && status === 'ran');
  const skips = verdict.tests.skips && new Set(verdict.tests.skips.map(withoutParameters));
  for (const id of wanted) {
    if (told.has(id)) continue;
    // A file that cannot be imported has no tests of its own to fail: its finding is theirs.
    const ofFile = findings.filter(
      (finding) => !belongsToFailure(finding, verdict) && id.startsWith(`${finding.path}::`),
    );
    if (!ran || verdict.tests.mode === 'none') told.set(id, { outcome: 'unknown', findings: [] });
    else if (ofFile.length > 0 && verdict.tests.errors > 0) told.set(id, { outcome: 'errored', findings: ofFile });
    else if (skips?.has(id)) told.set(id, { outcome: 'skipped', findings: [] });
    else if (skips || verdict.tests.skipped === 0) told.set(id, { outcome: 'passed', findings: [] });
    else
      told.set(id, {
        outcome: wanted.length === 1 && verdict.tests.passed === 0 ? 'skipped' : 'unknown',
        findings: [],
      });
  }
  return told;
}

export function withoutParameters(nodeId: string): string {
  return nodeId.replace(/\[.*$/s, '');
}

/** Whether a finding belongs to a test that is named among the failures. */
function belongsToFailure(finding: Finding, verdict: Verdict): boolean {
  return finding.test !== undefined && verdict.tests.failures.includes(finding.test);
}
