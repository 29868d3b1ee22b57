import { applyFact } from '../app/apply-event.ts';
import {
  type Environment,
  type JobStore,
  type JobUpdate,
  OffsetConflictError,
  type ProjectorOffset,
} from '../app/ports.ts';
import { eventSubject } from '../contract/subjects.ts';
import { UnavailableError } from '../domain/errors.ts';
import type { Job } from '../domain/job.ts';
import type { RetryPolicy } from '../domain/retry-policy.ts';
import type { ReadFact } from '../messaging/event-reader.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { sleep } from '../process/loop.ts';

const MAX_BATCH = 200;
/** Facts read ahead of the database; more wait in JetStream. */
const MAX_READ_AHEAD = 1000;
const TRIES_BEFORE_QUARANTINE = 3;

export interface ProjectorOptions {
  readonly store: JobStore;
  readonly environment: Environment;
  readonly retry: RetryPolicy;
  readonly log: Logger;
  readonly metrics?: Metrics | undefined;
}

/**
 * Turns facts into rows: batches of facts, their rows and the new offset in one transaction, so that a fact
 * counts exactly once however often this process dies. Facts that may not count (duplicates, former
 * attempts, foreign runs) are passed over; one that can't be applied is quarantined with an alarm.
 */
export class Projector {
  readonly #options: ProjectorOptions;
  #offset: ProjectorOffset;

  constructor(options: ProjectorOptions, offset: ProjectorOffset) {
    this.#options = options;
    this.#offset = offset;
  }

  /**
   * Runs until the facts end or the signal aborts.
   *
   * @throws OffsetConflictError when another projector took over.
   */
  async run(facts: AsyncIterable<ReadFact>, signal: AbortSignal): Promise<void> {
    for await (const batch of inBatches(facts, signal)) {
      await this.#project(batch, signal);
      if (signal.aborted) return;
    }
  }

  async #project(batch: readonly ReadFact[], signal: AbortSignal): Promise<void> {
    const fresh = batch.filter((fact) => fact.sequence > this.#offset.sequence);
    if (fresh.length === 0) return;
    try {
      await this.#commit(fresh, null, signal);
    } catch (error) {
      if (error instanceof OffsetConflictError || fresh.length === 0) throw error;
      this.#options.log.warn(
        { err: error, facts: fresh.length },
        'a batch of facts was refused; applying one by one',
      );
      for (const fact of fresh) await this.#projectOne(fact, signal);
    }
  }

  /** Poison never blocks: after a few tries the fact is put aside and the offset goes on. */
  async #projectOne(fact: ReadFact, signal: AbortSignal): Promise<void> {
    for (let tries = 1; !signal.aborted; tries += 1) {
      try {
        return await this.#commit([fact], null, signal);
      } catch (error) {
        if (error instanceof OffsetConflictError) throw error;
        if (tries < TRIES_BEFORE_QUARANTINE) continue;
        return await this.#commit([fact], error instanceof Error ? error.message : String(error), signal);
      }
    }
  }

  /** Waits while the database is away: the facts are safe in JetStream. */
  async #commit(facts: readonly ReadFact[], poison: string | null, signal: AbortSignal): Promise<void> {
    const last = facts.at(-1);
    if (last === undefined) return;
    const to = { epoch: this.#offset.epoch, sequence: last.sequence, messageId: last.messageId };
    for (let waitMs = 250; !signal.aborted; waitMs = Math.min(5000, waitMs * 2)) {
      try {
        const quarantined = await this.#write(facts, poison, to);
        this.#offset = to;
        this.#options.metrics?.factsProjected(facts.length, quarantined);
        return;
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        this.#options.log.warn({ err: error, sequence: to.sequence }, 'facts wait for the database');
        await sleep(waitMs, signal);
      }
    }
  }

  /** @returns how many facts were quarantined. */
  async #write(facts: readonly ReadFact[], poison: string | null, to: ProjectorOffset): Promise<number> {
    return this.#options.store.transaction(async (jobs) => {
      await jobs.moveOffset(this.#offset, to);
      const locked = await jobs.lock([...new Set(facts.map((fact) => fact.jobId))]);
      const current = new Map([...locked].map(([id, stored]) => [id, stored.job]));
      let quarantined = 0;
      for (const fact of facts) {
        const problem = poison ?? this.#problemOf(fact, current);
        if (typeof problem !== 'string') {
          if (problem !== null) await jobs.apply([problem]);
          continue;
        }
        const { sequence, jobId, bytes } = fact;
        this.#options.log.error(
          { alarm: 'FACT_QUARANTINED', sequence, jobId, problem },
          'a fact could not be applied',
        );
        await jobs.quarantine({
          epoch: to.epoch,
          sequence,
          subject: eventSubject(jobId),
          data: bytes,
          error: problem,
        });
        quarantined += 1;
      }
      return quarantined;
    });
  }

  /** What the fact changes; null when nothing; a text when it can't be applied. */
  #problemOf(read: ReadFact, current: Map<string, Job>): JobUpdate | string | null {
    if (read.fact === null) return read.malformed?.message ?? 'malformed';
    const job = current.get(read.jobId);
    // A deleted job: its run reports to nobody.
    if (job === undefined) return null;
    const { environment, retry, log } = this.#options;
    const applied = applyFact(job, read.fact, retry, environment.now(), environment.random());
    if (applied.ok) {
      current.set(read.jobId, applied.update.job);
      return applied.update;
    }
    const { type, attempt, instance, ordinal } = read.fact;
    if (applied.refusal === 'GAP') {
      return `${type} fact ${attempt}.${ordinal} by ${instance} does not follow ${job.attempt}.${job.lastOrdinal} (${job.status})`;
    }
    log.debug({ jobId: job.id, attempt, ordinal, type, refusal: applied.refusal }, 'a fact was passed over');
    return null;
  }
}

/** Reads ahead while a batch is being written, within bounds; each batch is all that has come meanwhile. */
async function* inBatches(
  facts: AsyncIterable<ReadFact>,
  signal: AbortSignal,
): AsyncGenerator<readonly ReadFact[]> {
  const waiting: ReadFact[] = [];
  let ended: { readonly error?: unknown } | null = null;
  let wakeReader: () => void = () => undefined;
  let wakeWriter: () => void = () => undefined;
  const stop = () => {
    wakeReader();
    wakeWriter();
  };
  signal.addEventListener('abort', stop, { once: true });
  const reading = (async () => {
    for await (const fact of facts) {
      waiting.push(fact);
      wakeWriter();
      while (waiting.length >= MAX_READ_AHEAD && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
      }
      if (signal.aborted) return;
    }
  })().then(
    () => {
      ended = {};
      wakeWriter();
    },
    (error: unknown) => {
      ended = { error };
      wakeWriter();
    },
  );
  try {
    while (!signal.aborted) {
      if (waiting.length > 0) {
        yield waiting.splice(0, MAX_BATCH);
        wakeReader();
        continue;
      }
      if (ended !== null) break;
      await new Promise<void>((resolve) => {
        wakeWriter = resolve;
      });
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  await reading;
  const end = ended as { readonly error?: unknown } | null;
  if (end !== null && 'error' in end && !signal.aborted) throw end.error;
}
