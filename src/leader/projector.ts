import { eventSubject } from '../contract/subjects.ts';
import { UnavailableError } from '../domain/errors.ts';
import { contextOf, type LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { ReadEvent } from '../messaging/event-reader.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { untilDone } from '../process/retry.ts';
import type { JobStore } from '../storage/job-store.ts';
import type { JobTransaction } from '../storage/job-transaction.ts';
import { OffsetConflictError, type ProjectorOffset } from '../storage/projector-offset.ts';
import { judgeEvent, type Verdict } from './judge-event.ts';
import { readAhead } from './read-ahead.ts';

const MAX_BATCH = 200;
/** Events in memory; more wait in JetStream. */
const MAX_AHEAD = 1000;
const TRIES_BEFORE_QUARANTINE = 3;

export interface ProjectorOptions extends LifecyclePorts {
  readonly store: JobStore;
  readonly log: Logger;
  readonly metrics?: Metrics | undefined;
}

/** Events that are written in one transaction; with a problem, they are quarantined whatever they are. */
interface Batch {
  readonly events: readonly ReadEvent[];
  readonly problem: string | null;
}

/**
 * Turns events into rows. The rows of a batch and the new offset are written in one transaction, so that an event
 * counts exactly once whenever this process dies.
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
   * @throws OffsetConflictError when another projector has taken over.
   */
  async run(events: AsyncIterable<ReadEvent>, signal: AbortSignal): Promise<void> {
    const batches = readAhead(events, { signal, maxAhead: MAX_AHEAD, maxBatch: MAX_BATCH });
    for await (const batch of batches) {
      const fresh = batch.filter((event) => event.sequence > this.#offset.sequence);
      if (fresh.length > 0) await this.#project(fresh, signal);
    }
  }

  /** An event that makes the transaction fail must not hold up the others of its batch. */
  async #project(events: readonly ReadEvent[], signal: AbortSignal): Promise<void> {
    try {
      await this.#commit({ events, problem: null }, signal);
    } catch (err) {
      if (err instanceof OffsetConflictError || signal.aborted) throw err;
      const { log } = this.#options;
      log.warn({ err, events: events.length }, 'a batch of events failed; applying them one by one');
      for (const event of events) await this.#projectAlone(event, signal);
    }
  }

  /** After a few tries the event is quarantined and the offset goes on. */
  async #projectAlone(event: ReadEvent, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#commit({ events: [event], problem: null }, signal);
      } catch (error) {
        if (error instanceof OffsetConflictError || signal.aborted) throw error;
        if (tries < TRIES_BEFORE_QUARANTINE) continue;
        const problem = error instanceof Error ? error.message : String(error);
        return await this.#commit({ events: [event], problem }, signal);
      }
    }
  }

  /** Waits while the database is unreachable; the events are safe in JetStream. */
  async #commit(batch: Batch, signal: AbortSignal): Promise<void> {
    const { store, log, metrics } = this.#options;
    const last = batch.events.at(-1);
    if (last === undefined) return;
    const to = { epoch: this.#offset.epoch, sequence: last.sequence, messageId: last.messageId };
    const write = () =>
      store.transaction(async (jobs) => {
        await jobs.moveOffset(this.#offset, to);
        return this.#write(jobs, batch);
      });
    const quarantined = await untilDone(write, {
      signal,
      mayPass: (error) => error instanceof UnavailableError,
      onRetry: (err) => log.warn({ err, sequence: to.sequence }, 'events wait for the database'),
    });
    this.#offset = to;
    metrics?.eventsProjected(batch.events.length, quarantined);
  }

  /** @returns how many events were quarantined. */
  async #write(jobs: JobTransaction, { events, problem }: Batch): Promise<number> {
    const locked = await jobs.lock([...new Set(events.map((event) => event.jobId))]);
    const states = new Map([...locked].map(([id, { job }]) => [id, job]));
    const context = contextOf(this.#options);
    let quarantined = 0;
    for (const event of events) {
      const verdict: Verdict =
        problem === null
          ? judgeEvent(event, states.get(event.jobId), context)
          : { action: 'quarantine', problem };
      if (verdict.action === 'apply') {
        await jobs.apply([verdict.update]);
        states.set(event.jobId, verdict.update.job);
      } else if (verdict.action === 'quarantine') {
        await this.#quarantine(jobs, event, verdict.problem);
        quarantined += 1;
      } else this.#logPassedOver(event, verdict.reason);
    }
    return quarantined;
  }

  async #quarantine(jobs: JobTransaction, event: ReadEvent, problem: string): Promise<void> {
    const { sequence, jobId, bytes: data } = event;
    const { epoch } = this.#offset;
    this.#options.log.error(
      { alarm: 'EVENT_QUARANTINED', sequence, jobId, problem },
      'an event could not be applied',
    );
    await jobs.quarantine({ epoch, sequence, subject: eventSubject(jobId), data, error: problem });
  }

  #logPassedOver({ sequence, jobId, event }: ReadEvent, reason: string): void {
    const fields = { sequence, jobId, type: event?.type, attempt: event?.attempt, ordinal: event?.ordinal };
    this.#options.log.debug({ ...fields, reason }, 'passed over an event');
  }
}
