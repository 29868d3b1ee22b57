import { endsAttempt, type FactMessage } from '../../src/contract/messages.ts';
import type { NatsConnection } from '../../src/messaging/connection.ts';
import { readFacts } from '../../src/messaging/event-reader.ts';

/** A fact with the time at which JetStream stored it. */
export interface StoredFact {
  readonly fact: FactMessage;
  readonly sequence: number;
  readonly at: number;
}

/** Every job's chain of facts, in order, as EVENTS holds it. */
export async function readChains(nc: NatsConnection): Promise<{
  readonly chains: ReadonlyMap<string, readonly StoredFact[]>;
  readonly lastSequence: number;
}> {
  const chains = new Map<string, StoredFact[]>();
  const read = new AbortController();
  let lastSequence = 0;
  for await (const { jobId, fact, sequence, at, pending } of readFacts(nc, {
    fromSequence: 1,
    signal: read.signal,
  })) {
    lastSequence = sequence;
    if (fact !== null) {
      const chain = chains.get(jobId) ?? [];
      chain.push({ fact, sequence, at: at.getTime() });
      chains.set(jobId, chain);
    }
    if (pending === 0) read.abort();
  }
  return { chains, lastSequence };
}

const isServers = (fact: FactMessage): boolean => fact.instance.startsWith('server');

/** Facts that a fence should have kept out, in words; a chain without any is sound. */
export function staleFacts(chain: readonly StoredFact[]): readonly string[] {
  const faults: string[] = [];
  let run: FactMessage | null = null;
  for (const { fact } of chain) {
    const where = `${fact.type} ${fact.attempt}.${fact.ordinal} by ${fact.instance}`;
    // A run begins with its first fact: `started`, or the end of a run that was over before it began.
    const begins = fact.ordinal === 1;
    if (begins) {
      if (run !== null && fact.attempt <= run.attempt)
        faults.push(`${where} begins again after attempt ${run.attempt}`);
    } else if (run === null) {
      faults.push(`${where} has no beginning`);
    } else {
      const own = fact.instance === run.instance || isServers(fact);
      if (!own || fact.attempt !== run.attempt)
        faults.push(`${where} is not of run ${run.attempt} ${run.instance}`);
      if (fact.ordinal !== run.ordinal + 1) faults.push(`${where} does not follow ordinal ${run.ordinal}`);
      if (endsAttempt(run) && !isServers(fact)) faults.push(`${where} comes after ${run.type}`);
    }
    run = fact;
  }
  return faults;
}

/** How often the chain says that its job is over for good: must never be more than once. */
export function terminalCount(chain: readonly StoredFact[]): number {
  return chain.filter(({ fact }) => fact.type === 'completed' || fact.type === 'canceled').length;
}

export const completions = (chain: readonly StoredFact[]): number =>
  chain.filter(({ fact }) => fact.type === 'completed').length;

/** Workers that the chain says were lost. */
export function lostWorkers(chain: readonly StoredFact[]): number {
  return chain.at(-1)?.fact.lostAttempts ?? 0;
}
