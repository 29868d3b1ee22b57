import { type EventMessage, endsRun } from '../../src/contract/messages.ts';
import type { NatsConnection } from '../../src/messaging/connection.ts';
import { readEvents } from '../../src/messaging/event-reader.ts';

/** An event with the time at which JetStream stored it. */
export interface StoredEvent {
  readonly event: EventMessage;
  readonly sequence: number;
  readonly at: number;
}

/** Every job's chain of events, in the order of the stream EVENTS. */
export async function readChains(nc: NatsConnection): Promise<{
  readonly chains: ReadonlyMap<string, readonly StoredEvent[]>;
  readonly lastSequence: number;
}> {
  const chains = new Map<string, StoredEvent[]>();
  const read = new AbortController();
  let lastSequence = 0;
  for await (const { jobId, event, sequence, at, pending } of readEvents(nc, {
    fromSequence: 1,
    signal: read.signal,
  })) {
    lastSequence = sequence;
    if (event !== null) {
      const chain = chains.get(jobId) ?? [];
      chain.push({ event, sequence, at: at.getTime() });
      chains.set(jobId, chain);
    }
    if (pending === 0) read.abort();
  }
  return { chains, lastSequence };
}

const isServers = (event: EventMessage): boolean => event.runId.startsWith('server');

/** Describes events that the fence should have refused. */
export function staleEvents(chain: readonly StoredEvent[]): readonly string[] {
  const faults: string[] = [];
  let run: EventMessage | null = null;
  for (const { event } of chain) {
    const where = `${event.type} ${event.attempt}.${event.ordinal} by ${event.runId}`;
    // A run's first event is `started`, or the end of a run that never started.
    const begins = event.ordinal === 1;
    if (begins) {
      if (run !== null && event.attempt <= run.attempt)
        faults.push(`${where} starts again after attempt ${run.attempt}`);
    } else if (run === null) {
      faults.push(`${where} has no start`);
    } else {
      const own = event.runId === run.runId || isServers(event);
      if (!own || event.attempt !== run.attempt)
        faults.push(`${where} does not belong to run ${run.attempt} ${run.runId}`);
      if (event.ordinal !== run.ordinal + 1) faults.push(`${where} does not follow ordinal ${run.ordinal}`);
      if (endsRun(run) && !isServers(event)) faults.push(`${where} comes after ${run.type}`);
    }
    run = event;
  }
  return faults;
}

/** The number of final events; more than one is a breach. */
export function terminalCount(chain: readonly StoredEvent[]): number {
  return chain.filter(({ event }) => event.type === 'completed' || event.type === 'canceled').length;
}

export const completions = (chain: readonly StoredEvent[]): number =>
  chain.filter(({ event }) => event.type === 'completed').length;

/** The number of `lost` events. */
export function lostWorkers(chain: readonly StoredEvent[]): number {
  return chain.at(-1)?.event.lostRuns ?? 0;
}
