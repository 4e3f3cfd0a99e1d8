/** When a server that was lost is started again by itself, and when a person is asked instead. Pure: the clock is given. */

const WINDOW_MS = 180_000;
const MOST = 4;
const FIRST_DELAY_MS = 250;

/**
 * How long to wait before the next start, in milliseconds; `undefined` when it was lost too often to go on.
 * `losses` are the times of earlier losses within reach, `now` that of this one, all on one clock in milliseconds.
 */
export function delayBeforeRestart(losses: readonly number[], now: number): number | undefined {
  const recent = recentLosses(losses, now).length;
  return recent >= MOST ? undefined : FIRST_DELAY_MS * 2 ** recent;
}

export function recentLosses(losses: readonly number[], now: number): number[] {
  return losses.filter((time) => now - time < WINDOW_MS);
}
