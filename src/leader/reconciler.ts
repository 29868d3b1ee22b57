import { type CancelJobDeps, deliverCancel, storeServerEnd } from '../app/cancel-job.ts';
import { deadlineFailure, isBrokenChain } from '../domain/failures.ts';
import { admissionOf } from '../domain/job.ts';
import { advance } from '../domain/lifecycle.ts';
import { contextOf, type LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { Broker } from '../messaging/broker.ts';
import type { Logger } from '../observability/logger.ts';
import { Loop } from '../process/loop.ts';
import type { Database } from '../storage/database.ts';
import type { BrokenChain, JobChecks, SilentJob } from '../storage/job-checks.ts';
import type { JobSchedule } from '../storage/job-schedule.ts';
import type { JobStore } from '../storage/job-store.ts';
import { readOffset } from '../storage/projector-offset.ts';
import { forEachJob } from './each-job.ts';
import { isLost, lookAgain, silentSince, startWatch } from './silence.ts';

/** Short in tests. */
interface ReconcilerTimes {
  /** Between two checks of the tasks. */
  readonly intervalMs: number;
  /** The task of an admitted job without an event for this long is checked. */
  readonly silentMs: number;
  /** A run without a sign for this long is lost; longer than the 30 s after which a worker stops a run by itself. */
  readonly lostMs: number;
}

const END_INTERVAL_MS = 2000;
const PAGE_SIZE = 100;
const SILENT_PAGE_SIZE = 500;

/** A task below its lane's ack floor, where JetStream never delivers it. */
export interface OrphanTask {
  readonly sequence: number;
  /** Null when the task can't be read. */
  readonly jobId: string | null;
}

export interface ReconcilerOptions extends LifecyclePorts {
  readonly store: JobStore;
  readonly database: Database;
  readonly schedule: JobSchedule;
  readonly checks: JobChecks;
  readonly broker: Broker;
  readonly brokerReady: () => boolean;
  readonly times: ReconcilerTimes;
  /** When this process last saw an event or progress of the job; null when never. */
  readonly lastSeenAt: (jobId: string) => Date | null;
  readonly findOrphans: () => Promise<readonly OrphanTask[]>;
  readonly log: Logger;
}

/**
 * Repairs what crashes and outages leave behind. One loop ends jobs and runs: passed deadlines, cancels that the
 * broker could not take, lost runs. The other one publishes tasks that are missing. Both may act too early: the chain
 * refuses an end that comes too late, and the fence makes a second task harmless.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #cancelDeps: CancelJobDeps;
  readonly #loops: readonly Loop[];
  /** Lists are read in pages and then from the start again, so that jobs which stay on them don't hide the others. */
  #lateAfter = '';
  #cancelsAfter = '';
  #watch = startWatch(new Date(0));

  constructor(options: ReconcilerOptions) {
    const { store, broker, environment, lifecycle, log, times } = options;
    this.#options = options;
    this.#cancelDeps = { store, broker, environment, lifecycle, log };
    this.#loops = [
      new Loop({
        ...{ name: 'reconciler.ends', intervalMs: END_INTERVAL_MS, log },
        step: (signal) => this.#endJobs(signal),
      }),
      new Loop({
        ...{ name: 'reconciler.tasks', intervalMs: times.intervalMs, log },
        step: (signal) => this.#restoreTasks(signal),
      }),
    ];
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#watch = startWatch(this.#options.environment.now());
    await Promise.all(this.#loops.map((loop) => loop.run(signal)));
  }

  /** Publishes a task for every admitted job, after the broker lost its streams. */
  async republishAll(signal: AbortSignal): Promise<void> {
    const { checks, log } = this.#options;
    let jobs = 0;
    let afterId = '';
    do {
      const ids = await checks.admitted(afterId, PAGE_SIZE);
      await this.#forEach(ids, (id) => this.#republish(id), 'could not publish a task again', signal);
      jobs += ids.length;
      afterId = afterPage(ids, PAGE_SIZE);
    } while (afterId !== '');
    if (jobs > 0) log.warn({ jobs }, 'NATS lost its streams; published the tasks of all admitted jobs again');
  }

  async #endJobs(signal: AbortSignal): Promise<void> {
    const { checks, brokerReady, environment } = this.#options;
    const now = environment.now();
    const isConnected = brokerReady();
    this.#watch = lookAgain(this.#watch, now, { isConnected, maxPauseMs: 5 * END_INTERVAL_MS });

    const late = await checks.pastDeadline(now, this.#lateAfter, PAGE_SIZE);
    this.#lateAfter = afterPage(late, PAGE_SIZE);
    await this.#forEach(
      late,
      (id) => this.#endLate(id, now),
      'could not end a job past its deadline',
      signal,
    );
    if (!isConnected) return;

    const canceled = await checks.cancelsPending(this.#cancelsAfter, PAGE_SIZE);
    this.#cancelsAfter = afterPage(canceled, PAGE_SIZE);
    const cancel = async (id: string) => void (await deliverCancel(this.#cancelDeps, id));
    await this.#forEach(canceled, cancel, 'could not pass a cancellation to the broker', signal);
    await this.#forEach(
      await checks.brokenChains(PAGE_SIZE),
      (chain) => this.#endBrokenChain(chain),
      'could not end a broken chain',
      signal,
    );
    await this.#endLostRuns(now, signal);
  }

  /** Stops a worker that goes on with a job which a broken event has ended. A retry has ended the chain itself. */
  async #endBrokenChain({ id, attempt, failure }: BrokenChain): Promise<void> {
    const { broker, checks } = this.#options;
    if (failure !== null && isBrokenChain(failure)) {
      await broker.endRun(id, { type: 'failed', failure, evenIfRunning: true }, attempt);
    }
    await checks.noteChainEnded(id);
  }

  /** A run ends at its deadline by itself. */
  async #endLate(id: string, now: Date): Promise<void> {
    const { store, broker, brokerReady } = this.#options;
    const onChain = await store.transaction(async (jobs) => {
      const job = (await jobs.lock([id])).get(id)?.job;
      if (job === undefined) return null;
      const moved = advance(job, { type: 'deadlinePassed' }, { ...contextOf(this.#options), now });
      if (moved.ok) await jobs.apply([{ job: moved.job, at: now }]);
      return !moved.ok && moved.refusal === 'ON_CHAIN' ? job : null;
    });
    if (onChain === null || !brokerReady()) return;
    const end = { type: 'failed', failure: deadlineFailure(null) } as const;
    const ended = await broker.endRun(id, end, onChain.attempt);
    if (!ended.ended) return;
    await storeServerEnd(this.#cancelDeps, ended.event);
    const sequence = admissionOf(onChain)?.taskSequence ?? null;
    if (sequence !== null) await broker.deleteTask(sequence);
  }

  async #endLostRuns(now: Date, signal: AbortSignal): Promise<void> {
    const { times, lastSeenAt } = this.#options;
    const since = silentSince(this.#watch, now, times.lostMs);
    if (since === null) return;
    const end = async (job: SilentJob) => {
      if (isLost(job, lastSeenAt(job.id), since)) await this.#endLostRun(job);
    };
    await this.#forEach(this.#silentJobs(since), end, 'could not end a lost run', signal);
  }

  async #endLostRun({ id: jobId, attempt }: SilentJob): Promise<void> {
    const { broker, log } = this.#options;
    const ended = await broker.endRun(jobId, { type: 'lost' }, attempt);
    if (!ended.ended) return;
    log.warn({ jobId, attempt: ended.event.attempt }, 'run lost; its job waits for another worker');
    await storeServerEnd(this.#cancelDeps, ended.event);
  }

  async #restoreTasks(signal: AbortSignal): Promise<void> {
    const { brokerReady, environment, times, findOrphans } = this.#options;
    if (!brokerReady()) return;
    const orphans = await findOrphans();
    await this.#forEach(
      orphans,
      (task) => this.#replaceOrphan(task),
      'could not replace an orphan task',
      signal,
    );
    const silent = this.#silentJobs(new Date(environment.now().getTime() - times.silentMs));
    await this.#forEach(
      silent,
      (job) => this.#restoreTask(job),
      'could not restore the task of a job',
      signal,
    );
  }

  async #replaceOrphan(task: OrphanTask): Promise<void> {
    const { broker, log } = this.#options;
    await broker.deleteTask(task.sequence);
    log.warn({ ...task }, 'removed a task below the ack floor of its lane');
    // It may have been the only task of its job.
    if (task.jobId !== null) await this.#republish(task.jobId);
  }

  async #restoreTask({ id, status, taskSequence }: SilentJob): Promise<void> {
    const { broker, log } = this.#options;
    if (taskSequence !== null && (await broker.taskExists(taskSequence))) return;
    log.warn({ jobId: id, status }, 'an admitted job has no task; publishing another');
    await this.#republish(id);
  }

  /** Every silent job: where workers are few, tasks wait long and the first pages may all be in order. */
  async *#silentJobs(since: Date): AsyncGenerator<SilentJob> {
    let afterId = '';
    do {
      const page = await this.#options.checks.silent(since, afterId, SILENT_PAGE_SIZE);
      yield* page;
      afterId = afterPage(
        page.map(({ id }) => id),
        SILENT_PAGE_SIZE,
      );
    } while (afterId !== '');
  }

  async #republish(id: string): Promise<void> {
    const { database, schedule, broker } = this.#options;
    // Read before the row: then the row is unfinished in spite of every event up to this sequence.
    const appliedSequence = (await readOffset(database))?.sequence ?? 0;
    const job = await schedule.readmit(id);
    if (job === null) return;
    const attempt = await broker.attemptForTask(id, { nextAttempt: job.attempt, appliedSequence });
    if (attempt === null) return;
    const { sequence } = await broker.publishTask({ ...job, attempt });
    await schedule.recordTasks([{ id, publication: job.publication, sequence }]);
  }

  #forEach<Item extends string | SilentJob | OrphanTask | BrokenChain>(
    items: Iterable<Item> | AsyncIterable<Item>,
    work: (item: Item) => Promise<void>,
    failed: string,
    signal: AbortSignal,
  ): Promise<void> {
    return forEachJob(items, work, { signal, failed, log: this.#options.log, jobIdOf });
  }
}

function jobIdOf(item: string | SilentJob | OrphanTask | BrokenChain): string | null {
  if (typeof item === 'string') return item;
  return 'id' in item ? item.id : item.jobId;
}

/** The id after which the next page begins; empty behind the last page. */
function afterPage(ids: readonly string[], pageSize: number): string {
  return ids.length < pageSize ? '' : ids.reduce((last, id) => (id > last ? id : last), '');
}
