import type { AdmittedJob } from '../domain/admitted-job.ts';
import type { Environment } from '../domain/environment.ts';
import { type Credits, chooseFairly, NO_CREDITS } from '../domain/fairness.ts';
import { ENGINES, type QueueName, queueOf } from '../domain/vocabulary.ts';
import type { Broker } from '../messaging/broker.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { Loop } from '../process/loop.ts';
import type { JobSchedule } from '../storage/job-schedule.ts';

/** Tasks that wait in JetStream for each slot of the workers that are up; at least and at most so many. */
const READY_PER_SLOT = 2;
const MIN_READY = 4;
const MAX_READY = 1000;
/** A task whose publication is not recorded after this time is published again. */
const UNPUBLISHED_AFTER_MS = 5000;
const BATCH_SIZE = 200;
const ADMIT_INTERVAL_MS = 2000;
const DUE_INTERVAL_MS = 10_000;
const MIN_DUE_WAIT_MS = 50;

export interface AdmissionOptions {
  readonly schedule: JobSchedule;
  readonly broker: Broker;
  readonly brokerReady: () => boolean;
  /** Slots of the workers of a queue that are up. */
  readonly liveSlots: (queue: QueueName) => number;
  /** True while no worker of the queue can run a job, so that jobs go to their next engine. */
  readonly isOut: (queue: QueueName) => boolean;
  readonly environment: Environment;
  readonly log: Logger;
  readonly metrics?: Metrics | undefined;
}

const QUEUES = ENGINES.map(queueOf);

/**
 * Moves jobs from waiting in Postgres to ready in JetStream, few at a time, so that order, pauses and limits are
 * decided in SQL until shortly before a job runs. One loop for each queue, and one for jobs that wait for a time.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #queues: ReadonlyMap<QueueName, Loop>;
  readonly #due: Loop;
  #dueTimer: NodeJS.Timeout | undefined;
  /** They are lost with the leadership, which costs one round of fairness. */
  readonly #credits = new Map<QueueName, Credits>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
    const { log } = options;
    const loopOf = (queue: QueueName) =>
      new Loop({
        ...{ name: `admission.${queue}`, intervalMs: ADMIT_INTERVAL_MS, log },
        step: () => this.#admit(queue),
      });
    this.#queues = new Map(QUEUES.map((queue) => [queue, loopOf(queue)]));
    this.#due = new Loop({
      ...{ name: 'admission.due', intervalMs: DUE_INTERVAL_MS, log },
      step: () => this.#wakeDue(),
    });
  }

  /** A job began to wait in the queue, or a place in it became free. */
  wake(queue: QueueName): void {
    this.#queues.get(queue)?.wake();
  }

  /** A job got a time, which may be earlier than the next known one. */
  wakeTimer(): void {
    this.#due.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#queues.values(), this.#due].map((loop) => loop.run(signal)));
    clearTimeout(this.#dueTimer);
  }

  async #admit(queue: QueueName): Promise<void> {
    const { schedule, brokerReady, liveSlots, isOut, environment } = this.#options;
    if (!brokerReady()) return;
    if (isOut(queue)) await this.#deleteTasks(await schedule.failOver(queue, environment.now()));
    const request = { queue, readyTarget: readyTargetFor(liveSlots(queue)), now: environment.now() };
    const round = await admitFairly(schedule, request, this.#credits.get(queue) ?? NO_CREDITS);
    this.#credits.set(queue, round.credits);
    await this.#publish(round.jobs);
  }

  /** Tasks of jobs that went to another engine. One that stays starts its job there, which the fence allows once. */
  async #deleteTasks(sequences: readonly number[]): Promise<void> {
    const { broker, log } = this.#options;
    for (const sequence of sequences) {
      await broker
        .deleteTask(sequence)
        .catch((err) => log.warn({ err, sequence }, 'could not delete a task'));
    }
  }

  /** A task that can't be published now is published again once it is overdue. */
  async #publish(jobs: readonly AdmittedJob[]): Promise<void> {
    const { schedule, broker, log, metrics } = this.#options;
    const tasks: { id: string; publication: number; sequence: number }[] = [];
    const failures: { jobId: string; err: unknown }[] = [];
    const publish = async (job: AdmittedJob) => {
      const { id, publication, queue } = job;
      try {
        const { sequence } = await broker.publishTask(job);
        tasks.push({ id, publication, sequence });
        metrics?.taskPublished(queue);
      } catch (err) {
        failures.push({ jobId: id, err });
      }
    };
    await Promise.all(jobs.map(publish));
    if (failures.length > 0) log.warn({ ...failures[0], failed: failures.length }, 'could not publish tasks');
    await schedule.recordTasks(tasks);
  }

  async #wakeDue(): Promise<void> {
    const { schedule, environment, brokerReady } = this.#options;
    const now = environment.now();
    const { woken, nextDueAt } = await schedule.wakeDue(now);
    if (woken > 0) for (const queue of this.#queues.values()) queue.wake();
    if (brokerReady()) {
      const olderThan = new Date(now.getTime() - UNPUBLISHED_AFTER_MS);
      await this.#publish(await schedule.unpublished(olderThan, BATCH_SIZE));
    }
    clearTimeout(this.#dueTimer);
    const waitMs = waitForNext(nextDueAt, environment.now());
    if (waitMs !== null) this.#dueTimer = setTimeout(() => this.#due.wake(), waitMs);
  }
}

export function readyTargetFor(liveSlots: number): number {
  return Math.min(MAX_READY, Math.max(MIN_READY, READY_PER_SLOT * liveSlots));
}

/** When to look for due jobs again; null when the interval of the loop is soon enough. */
export function waitForNext(nextDueAt: Date | null, now: Date): number | null {
  if (nextDueAt === null) return null;
  const waitMs = Math.max(MIN_DUE_WAIT_MS, nextDueAt.getTime() - now.getTime());
  return waitMs < DUE_INTERVAL_MS ? waitMs : null;
}

export interface AdmissionRequest {
  readonly queue: QueueName;
  /** Tasks that may wait in JetStream, not counting running jobs. */
  readonly readyTarget: number;
  readonly now: Date;
}

/** Marks jobs as admitted for the free places of a queue; returns them, and the credits for the next round. */
export async function admitFairly(
  schedule: Pick<JobSchedule, 'freePlaces' | 'candidates' | 'admit'>,
  { queue, readyTarget, now }: AdmissionRequest,
  credits: Credits,
): Promise<{ readonly jobs: readonly AdmittedJob[]; readonly credits: Credits }> {
  const places = await schedule.freePlaces(queue, readyTarget);
  if (places === 0) return { jobs: [], credits };
  const choice = chooseFairly(await schedule.candidates(queue, places), places, credits);
  return { jobs: await schedule.admit(choice.ids, now), credits: choice.credits };
}
