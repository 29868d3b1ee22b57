import { type CancelJobDeps, pressCancel, storeServerEnd } from '../app/cancel-job.ts';
import type { AdmittedJob } from '../domain/admitted-job.ts';
import { deadlineFailure } from '../domain/failures.ts';
import { admissionOf } from '../domain/job.ts';
import { advance } from '../domain/lifecycle.ts';
import { contextOf, type LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { Broker } from '../messaging/broker.ts';
import type { Logger } from '../observability/logger.ts';
import { Loop } from '../process/loop.ts';
import type { Database } from '../storage/database.ts';
import type { JobChecks, SilentJob } from '../storage/job-checks.ts';
import type { JobSchedule } from '../storage/job-schedule.ts';
import type { JobStore } from '../storage/job-store.ts';
import { readOffset } from '../storage/projector-offset.ts';

/** How patient the reconciler is; tests are less so. */
export interface ReconcilerTimes {
  /** Between two rounds of the slow checks. */
  readonly intervalMs: number;
  /** An admitted job without an event for this long is looked after. */
  readonly silentMs: number;
  /** A run that is not heard of for this long is given up; longer than a worker's own fence of 30 s. */
  readonly lostMs: number;
}

/** Wishes that the broker has not heard yet (cancels, deadlines) are pressed this often. */
const PRESS_INTERVAL_MS = 2000;
const BATCH_SIZE = 100;
const SILENT_PAGE_SIZE = 500;

export interface ReconcilerOptions extends LifecyclePorts {
  readonly store: JobStore;
  readonly database: Database;
  readonly schedule: JobSchedule;
  readonly checks: JobChecks;
  readonly broker: Broker;
  readonly brokerReady: () => boolean;
  readonly times: ReconcilerTimes;
  /** When this process last heard of a run, by progress or event; null when never. */
  readonly lastSeenAt: (jobId: string) => Date | null;
  /** Tasks that lie below their lane's ack floor, where nothing ever delivers them. */
  readonly findOrphans: () => Promise<
    readonly { readonly sequence: number; readonly jobId: string | null }[]
  >;
  readonly log: Logger;
}

/** Takes ids batch by batch and then from the first again, so that those which stay do not hide the others. */
class Rounds {
  #afterId = '';

  async next(read: (afterId: string) => Promise<readonly string[]>): Promise<readonly string[]> {
    const ids = await read(this.#afterId);
    this.#afterId = ids.length < BATCH_SIZE ? '' : ids.reduce((last, id) => (id > last ? id : last), '');
    return ids;
  }
}

/**
 * Mends what crashes left behind: tasks that are missing, runs that are silent, cancels and deadlines that the
 * broker has not heard. It may be trigger-happy, as the fence makes an extra task harmless.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #cancelPorts: CancelJobDeps;
  readonly #press: Loop;
  readonly #mend: Loop;
  readonly #late = new Rounds();
  readonly #unwanted = new Rounds();
  /** Since when this process has been listening without a break. */
  #listeningSince: Date;
  #lastPressAt: Date;

  constructor(options: ReconcilerOptions) {
    const { store, broker, environment, lifecycle, log, times } = options;
    this.#options = options;
    this.#cancelPorts = { store, broker, environment, lifecycle, log };
    this.#listeningSince = environment.now();
    this.#lastPressAt = this.#listeningSince;
    this.#press = new Loop({
      name: 'reconciler.press',
      intervalMs: PRESS_INTERVAL_MS,
      log,
      step: () => this.#pressAll(),
    });
    this.#mend = new Loop({
      name: 'reconciler.mend',
      intervalMs: times.intervalMs,
      log,
      step: () => this.#mendAll(),
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#listeningSince = this.#options.environment.now();
    this.#lastPressAt = this.#listeningSince;
    await Promise.all([this.#press.run(signal), this.#mend.run(signal)]);
  }

  /** Every admitted job gets a new task: the broker came back without what it held. */
  async republishAll(): Promise<void> {
    const { checks, log } = this.#options;
    let count = 0;
    let afterId = '';
    for (;;) {
      const ids = await checks.admitted(afterId, BATCH_SIZE);
      for (const id of ids) await this.#readmit(id);
      count += ids.length;
      afterId = ids.at(-1) ?? '';
      if (ids.length < BATCH_SIZE) break;
    }
    if (count > 0)
      log.warn({ jobs: count }, 'the broker lost its streams; every unfinished job was ordered again');
  }

  async #pressAll(): Promise<void> {
    const { checks, brokerReady, environment } = this.#options;
    const now = environment.now();
    // After a pause of this process (a stopped machine, a debugger) silence proves nothing.
    if (now.getTime() - this.#lastPressAt.getTime() > 5 * PRESS_INTERVAL_MS) this.#listeningSince = now;
    this.#lastPressAt = now;
    const late = await this.#late.next((afterId) => checks.pastDeadline(now, afterId, BATCH_SIZE));
    for (const id of late) await this.#expire(id, now);
    if (!brokerReady()) {
      this.#listeningSince = now;
      return;
    }
    const unwanted = await this.#unwanted.next((afterId) => checks.cancelsPending(afterId, BATCH_SIZE));
    for (const id of unwanted) await pressCancel(this.#cancelPorts, id);
    await this.#giveUpLostRuns(now);
  }

  /** A job whose time ran out fails at once if it waits; a run is told by its own timeout. */
  async #expire(id: string, now: Date): Promise<void> {
    const { store, broker, brokerReady } = this.#options;
    const stored = await store.transaction(async (jobs) => {
      const found = (await jobs.lock([id])).get(id);
      if (found === undefined) return undefined;
      const moved = advance(found.job, { type: 'deadlinePassed' }, { ...contextOf(this.#options), now });
      if (moved.ok) await jobs.apply([{ job: moved.job, at: now }]);
      return !moved.ok && moved.refusal === 'ON_CHAIN' ? found : undefined;
    });
    if (stored === undefined || !brokerReady()) return;
    const end = { type: 'failed', failure: deadlineFailure(null) } as const;
    const ended = await broker.endRun(id, end, stored.job.attempt);
    if (!ended.ended) return;
    await storeServerEnd(this.#cancelPorts, ended.event);
    const sequence = admissionOf(stored.job)?.taskSequence ?? null;
    if (sequence !== null) await broker.deleteTask(sequence);
  }

  async #giveUpLostRuns(now: Date): Promise<void> {
    const { times, lastSeenAt, broker, log } = this.#options;
    const before = new Date(now.getTime() - times.lostMs);
    if (this.#listeningSince > before) return;
    for await (const job of this.#silentJobs(before)) {
      const seenAt = lastSeenAt(job.id);
      if (job.status !== 'PROCESSING' || (seenAt !== null && seenAt > before)) continue;
      const ended = await broker.endRun(job.id, { type: 'lost' }, job.attempt);
      if (!ended.ended) continue;
      log.warn(
        { jobId: job.id, attempt: ended.event.attempt },
        'a worker vanished; its job waits for another',
      );
      await storeServerEnd(this.#cancelPorts, ended.event);
    }
  }

  async #mendAll(): Promise<void> {
    const { broker, brokerReady, environment, times, findOrphans, log } = this.#options;
    if (!brokerReady()) return;
    for (const orphan of await findOrphans()) {
      await broker.deleteTask(orphan.sequence);
      log.warn({ ...orphan }, 'a task lay below its lane`s ack floor and was removed');
      // It may have been its job's only one; a second one is harmless, a long wait is not.
      if (orphan.jobId !== null) await this.#readmit(orphan.jobId);
    }
    const silentSince = new Date(environment.now().getTime() - times.silentMs);
    for await (const job of this.#silentJobs(silentSince)) {
      if (await this.#taskIsThere(job)) continue;
      log.warn({ jobId: job.id, status: job.status }, 'an unfinished job had no task and was ordered again');
      await this.#readmit(job.id);
    }
  }

  /** All of them: the first may be well, as tasks wait long where workers are few. */
  async *#silentJobs(since: Date): AsyncGenerator<SilentJob> {
    let afterId = '';
    for (;;) {
      const page = await this.#options.checks.silent(since, afterId, SILENT_PAGE_SIZE);
      yield* page;
      afterId = page.at(-1)?.id ?? '';
      if (page.length < SILENT_PAGE_SIZE) return;
    }
  }

  async #taskIsThere(job: SilentJob): Promise<boolean> {
    return job.taskSequence !== null && (await this.#options.broker.taskExists(job.taskSequence));
  }

  async #readmit(id: string): Promise<void> {
    const { database, schedule, broker } = this.#options;
    // Before the row is looked at: what is unfinished then is unfinished in spite of every event up to here.
    const appliedSequence = (await readOffset(database))?.sequence ?? 0;
    const job: AdmittedJob | null = await schedule.readmit(id);
    if (job === null) return;
    const attempt = await broker.attemptForTask(id, { nextAttempt: job.attempt, appliedSequence });
    if (attempt === null) return;
    const { sequence } = await broker.publishTask({ ...job, attempt });
    await schedule.recordTasks([{ id, publication: job.publication, sequence }]);
  }
}
