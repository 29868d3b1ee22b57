import { applyEvent } from '../app/apply-event.ts';
import { eventSubject } from '../contract/subjects.ts';
import { UnavailableError } from '../domain/errors.ts';
import type { Job } from '../domain/job.ts';
import type { JobUpdate } from '../domain/job-update.ts';
import { contextOf, type LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { ReadEvent } from '../messaging/event-reader.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { sleep } from '../process/wait.ts';
import type { JobStore } from '../storage/job-store.ts';
import { OffsetConflictError, type ProjectorOffset } from '../storage/projector-offset.ts';

const MAX_BATCH = 200;
/** Events read ahead of the database; more wait in JetStream. */
const MAX_READ_AHEAD = 1000;
const TRIES_BEFORE_QUARANTINE = 3;

export interface ProjectorOptions extends LifecyclePorts {
  readonly store: JobStore;
  readonly log: Logger;
  readonly metrics?: Metrics | undefined;
}

/**
 * Turns events into rows: batches of events, their rows and the new offset in one transaction, so that an event
 * counts exactly once however often this process dies. Events that may not count (duplicates, former
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
   * Runs until the events end or the signal aborts.
   *
   * @throws OffsetConflictError when another projector took over.
   */
  async run(events: AsyncIterable<ReadEvent>, signal: AbortSignal): Promise<void> {
    for await (const batch of inBatches(events, signal)) {
      await this.#project(batch, signal);
      if (signal.aborted) return;
    }
  }

  async #project(batch: readonly ReadEvent[], signal: AbortSignal): Promise<void> {
    const fresh = batch.filter((event) => event.sequence > this.#offset.sequence);
    if (fresh.length === 0) return;
    try {
      await this.#commit(fresh, null, signal);
    } catch (error) {
      if (error instanceof OffsetConflictError || fresh.length === 0) throw error;
      this.#options.log.warn(
        { err: error, events: fresh.length },
        'a batch of events was refused; applying one by one',
      );
      for (const event of fresh) await this.#projectOne(event, signal);
    }
  }

  /** Poison never blocks: after a few tries the event is put aside and the offset goes on. */
  async #projectOne(event: ReadEvent, signal: AbortSignal): Promise<void> {
    for (let tries = 1; !signal.aborted; tries += 1) {
      try {
        return await this.#commit([event], null, signal);
      } catch (error) {
        if (error instanceof OffsetConflictError) throw error;
        if (tries < TRIES_BEFORE_QUARANTINE) continue;
        return await this.#commit([event], error instanceof Error ? error.message : String(error), signal);
      }
    }
  }

  /** Waits while the database is away: the events are safe in JetStream. */
  async #commit(events: readonly ReadEvent[], poison: string | null, signal: AbortSignal): Promise<void> {
    const last = events.at(-1);
    if (last === undefined) return;
    const to = { epoch: this.#offset.epoch, sequence: last.sequence, messageId: last.messageId };
    for (let waitMs = 250; !signal.aborted; waitMs = Math.min(5000, waitMs * 2)) {
      try {
        const quarantined = await this.#write(events, poison, to);
        this.#offset = to;
        this.#options.metrics?.eventsProjected(events.length, quarantined);
        return;
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
        this.#options.log.warn({ err: error, sequence: to.sequence }, 'events wait for the database');
        await sleep(waitMs, signal);
      }
    }
  }

  /** @returns how many events were quarantined. */
  async #write(events: readonly ReadEvent[], poison: string | null, to: ProjectorOffset): Promise<number> {
    return this.#options.store.transaction(async (jobs) => {
      await jobs.moveOffset(this.#offset, to);
      const locked = await jobs.lock([...new Set(events.map((event) => event.jobId))]);
      const current = new Map([...locked].map(([id, stored]) => [id, stored.job]));
      let quarantined = 0;
      for (const event of events) {
        const problem = poison ?? this.#problemOf(event, current);
        if (typeof problem !== 'string') {
          if (problem !== null) await jobs.apply([problem]);
          continue;
        }
        const { sequence, jobId, bytes } = event;
        this.#options.log.error(
          { alarm: 'EVENT_QUARANTINED', sequence, jobId, problem },
          'an event could not be applied',
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

  /** What the event changes; null when nothing; a text when it can't be applied. */
  #problemOf(read: ReadEvent, current: Map<string, Job>): JobUpdate | string | null {
    if (read.event === null) return read.malformed?.message ?? 'malformed';
    const job = current.get(read.jobId);
    // A deleted job: its run reports to nobody.
    if (job === undefined) return null;
    const { log } = this.#options;
    const applied = applyEvent(job, read.event, contextOf(this.#options));
    if (applied.ok) {
      current.set(read.jobId, applied.update.job);
      return applied.update;
    }
    const { type, attempt, runId, ordinal } = read.event;
    if (applied.refusal === 'GAP') {
      return `${type} event ${attempt}.${ordinal} by ${runId} does not follow ${job.attempt}.${job.lastOrdinal} (${job.status})`;
    }
    log.debug(
      { jobId: job.id, attempt, ordinal, type, refusal: applied.refusal },
      'an event was passed over',
    );
    return null;
  }
}

/** Reads ahead while a batch is being written, within bounds; each batch is all that has come meanwhile. */
async function* inBatches(
  events: AsyncIterable<ReadEvent>,
  signal: AbortSignal,
): AsyncGenerator<readonly ReadEvent[]> {
  const waiting: ReadEvent[] = [];
  let ended: { readonly error?: unknown } | null = null;
  let wakeReader: () => void = () => undefined;
  let wakeWriter: () => void = () => undefined;
  const stop = () => {
    wakeReader();
    wakeWriter();
  };
  signal.addEventListener('abort', stop, { once: true });
  const reading = (async () => {
    for await (const event of events) {
      waiting.push(event);
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
