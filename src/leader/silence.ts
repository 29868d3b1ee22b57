/** Since when this process has been able to see that runs are active, by their events and progress. */
export interface Watch {
  readonly since: Date;
  readonly lastLookAt: Date;
}

export const startWatch = (now: Date): Watch => ({ since: now, lastLookAt: now });

/**
 * The watch after another look. It starts again while NATS is away, and after a pause of this process (a suspended
 * machine, a debugger): silence proves nothing then.
 */
export function lookAgain(
  watch: Watch,
  now: Date,
  { isConnected, maxPauseMs }: { readonly isConnected: boolean; readonly maxPauseMs: number },
): Watch {
  const wasPaused = now.getTime() - watch.lastLookAt.getTime() > maxPauseMs;
  return { since: wasPaused || !isConnected ? now : watch.since, lastLookAt: now };
}

/** A run must have been silent since this time to count as lost; null while the watch is too short to tell. */
export function silentSince(watch: Watch, now: Date, lostMs: number): Date | null {
  const since = new Date(now.getTime() - lostMs);
  return watch.since <= since ? since : null;
}

/** @param lastSeenAt When this process last saw an event or progress of the job; null when never. */
export function isLost(
  job: { readonly status: 'QUEUED' | 'PROCESSING' },
  lastSeenAt: Date | null,
  since: Date,
): boolean {
  return job.status === 'PROCESSING' && (lastSeenAt === null || lastSeenAt <= since);
}
