import { endsRun } from '../../src/contract/messages.ts';
import type { StoredEvent } from './chains.ts';
import type { Kill } from './storm.ts';

export interface Recovery {
  readonly jobId: string;
  readonly killedAt: number;
  /** From the kill to the next `started` of the job. */
  readonly tookMs: number;
}

/** How long each job of a killed worker waited for the next worker. */
export function recoveriesOf(
  kills: readonly Kill[],
  chains: ReadonlyMap<string, readonly StoredEvent[]>,
): readonly Recovery[] {
  return kills.flatMap(({ workerId, at }) =>
    [...chains].flatMap(([jobId, chain]) => {
      const next = chain.findIndex((stored) => stored.at > at);
      const last = chain.at(next === -1 ? -1 : next - 1);
      if (next < 1 || last === undefined || endsRun(last.event)) return [];
      const run = chain.findLast(
        ({ event, sequence }) => event.type === 'started' && sequence <= last.sequence,
      );
      if (run?.event.type !== 'started' || run.event.workerId !== workerId) return [];
      const restart = chain.slice(next).find(({ event }) => event.type === 'started');
      return restart === undefined ? [] : [{ jobId, killedAt: at, tookMs: restart.at - at }];
    }),
  );
}

/** Nearest rank; null for an empty list. */
export function percentile(values: readonly number[], percent: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? null;
}
