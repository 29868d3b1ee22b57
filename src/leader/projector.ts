import { UnavailableError } from '../domain/errors.ts';
import type { Job } from '../domain/job.ts';
import { contextOf, type LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { ReadEvent } from '../messaging/event-reader.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { untilDone } from '../process/retry.ts';
import { isRefusedData } from '../storage/database.ts';
import type { JobStore } from '../storage/job-store.ts';
import type { JobTransaction } from '../storage/job-transaction.ts';
import { OffsetConflictError, type ProjectorOffset } from '../storage/projector-offset.ts';
import { type BrokenEvent, foldEvents } from './fold-events.ts';
import { breakJob } from './judge-event.ts';
import { readAhead } from './read-ahead.ts';

const MAX_BATCH = 200;
/** Events in memory; more wait in JetStream. */
const MAX_AHEAD = 1000;

export interface ProjectorOptions extends LifecyclePorts {
  readonly store: JobStore;
  readonly log: Logger;
  readonly metrics?: Metrics | undefined;
}

/** Writes a batch in a transaction; returns how many of its events ended their jobs. */
type Write = (jobs: JobTransaction) => Promise<number>;

/**
 * Turns events into rows. A batch is folded in memory and written with a fixed number of statements, together with the
 * new offset, so that an event counts exactly once whenever this process dies.
 *
 * An event that can't be read, applied or stored ends its own job, visibly and in the same transaction. An error that is
 * not about the data of an event stops the projector: nothing is passed over that may be right tomorrow.
 */
export class Projector {
  readonly #options: ProjectorOptions;
  #offset: ProjectorOffset;

  constructor(options: ProjectorOptions, offset: ProjectorOffset) {
    this.#options = options;
    this.#offset = offset;
  }

  /**
   * Runs until the events end or the signal aborts.
   *
   * @throws OffsetConflictError when another projector has taken over; what the database throws.
   */
  async run(events: AsyncIterable<ReadEvent>, signal: AbortSignal): Promise<void> {
    const batches = readAhead(events, { signal, maxAhead: MAX_AHEAD, maxBatch: MAX_BATCH });
    for await (const batch of batches) {
      const fresh = batch.filter((event) => event.sequence > this.#offset.sequence);
      if (fresh.length > 0) await this.#project(fresh, signal);
    }
  }

  async #project(events: readonly ReadEvent[], signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    try {
      await this.#commit(events, (jobs) => this.#writeTogether(jobs, events), signal);
    } catch (err) {
      if (!isRefusedData(err)) {
        const isExpected = err instanceof OffsetConflictError || signal.aborted;
        if (!isExpected) log.error({ alarm: 'PROJECTOR_STOPPED', err }, 'the projector stops at an error');
        throw err;
      }
      log.warn({ err, events: events.length }, 'the database refused a batch of events; writing job by job');
      await this.#commit(events, (jobs) => this.#writeByJob(jobs, events), signal);
    }
  }

  /** Waits while the database is unreachable; the events are safe in JetStream. */
  async #commit(events: readonly ReadEvent[], write: Write, signal: AbortSignal): Promise<void> {
    const { store, log, metrics } = this.#options;
    const last = events.at(-1);
    if (last === undefined) return;
    const to = { epoch: this.#offset.epoch, sequence: last.sequence, messageId: last.messageId };
    const inTransaction = () =>
      store.transaction(async (jobs) => {
        await jobs.moveOffset(this.#offset, to);
        return write(jobs);
      });
    const broken = await untilDone(inTransaction, {
      signal,
      mayPass: (error) => error instanceof UnavailableError,
      onRetry: (err) => log.warn({ err, sequence: to.sequence }, 'events wait for the database'),
    });
    this.#offset = to;
    metrics?.eventsProjected(events.length, broken);
  }

  async #writeTogether(jobs: JobTransaction, events: readonly ReadEvent[]): Promise<number> {
    const stored = await lockJobs(jobs, events);
    const { updates, broken, passedOver } = foldEvents(events, stored, contextOf(this.#options));
    for (const { event, reason } of passedOver) this.#logPassedOver(event, reason);
    await jobs.apply(updates);
    for (const each of broken) await this.#quarantine(jobs, each);
    return broken.length;
  }

  /** Finds the jobs whose events the database refuses, and ends them. */
  async #writeByJob(jobs: JobTransaction, events: readonly ReadEvent[]): Promise<number> {
    const stored = await lockJobs(jobs, events);
    const context = contextOf(this.#options);
    let count = 0;
    for (const [jobId, job] of stored) {
      const own = events.filter((event) => event.jobId === jobId);
      const { updates, broken } = foldEvents(own, stored, context);
      const refusal = await jobs.tryToApply(updates);
      const last = own.at(-1);
      if (refusal === null || last === undefined) {
        for (const each of broken) await this.#quarantine(jobs, each);
        count += broken.length;
        continue;
      }
      const ended = breakJob(job, 'EVENT_NOT_STORABLE', refusal.message, last.at, context);
      if (ended.action !== 'break') continue;
      await jobs.apply([ended.update]);
      await this.#quarantine(jobs, { event: last, problem: refusal.message });
      count += 1;
    }
    return count;
  }

  async #quarantine(jobs: JobTransaction, { event, problem }: BrokenEvent): Promise<void> {
    const { sequence, jobId, bytes: data } = event;
    this.#options.log.error(
      { alarm: 'EVENT_QUARANTINED', sequence, jobId, problem },
      'an event could not be applied and ended its job',
    );
    await jobs.quarantine({ epoch: this.#offset.epoch, sequence, jobId, data, error: problem });
  }

  #logPassedOver({ sequence, jobId, event }: ReadEvent, reason: string): void {
    const fields = { sequence, jobId, type: event?.type, attempt: event?.attempt, ordinal: event?.ordinal };
    this.#options.log.debug({ ...fields, reason }, 'passed over an event');
  }
}

async function lockJobs(
  jobs: JobTransaction,
  events: readonly ReadEvent[],
): Promise<ReadonlyMap<string, Job>> {
  const locked = await jobs.lock([...new Set(events.map((event) => event.jobId))]);
  return new Map([...locked].map(([id, { job }]) => [id, job]));
}
