import type { Logger } from '../observability/logger.ts';

/** The nats-server is too old. */
export class NatsVersionError extends Error {
  override readonly name = 'NatsVersionError';
}

/** @throws NatsVersionError */
export function requireServerVersion(version: string, replicas: number, log: Pick<Logger, 'warn'>): void {
  if (!isAtLeast(version, [2, 9, 4])) {
    throw new NatsVersionError(`nats-server ${version} is too old; 2.9.4 is the oldest that works.`);
  }
  if (replicas > 1 && !isAtLeast(version, [2, 10, 23])) {
    // Older clusters let two writers extend one chain of events, and could lose streams after kills.
    throw new NatsVersionError(
      `nats-server ${version} does not keep ${replicas} replicas consistent; use 1 replica, or 2.10.23 or newer.`,
    );
  }
  if (!isAtLeast(version, [2, 10, 0])) {
    log.warn(
      { version },
      'this nats-server has no setting to flush each write to disk; after a power loss the reconciler repeats tasks',
    );
  }
}

function isAtLeast(version: string, floor: readonly [number, number, number]): boolean {
  const parts = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number) ?? [];
  for (const [position, least] of floor.entries()) {
    const part = parts[position] ?? -1;
    if (part !== least) return part > least;
  }
  return true;
}
