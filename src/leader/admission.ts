import type { AdmittedJob } from '../domain/admitted-job.ts';
import type { Environment } from '../domain/environment.ts';
import { type Credits, chooseFairly, NO_CREDITS } from '../domain/fairness.ts';
import { ENGINES, type QueueName, queueOf } from '../domain/vocabulary.ts';
import type { Broker } from '../messaging/broker.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { Loop } from '../process/loop.ts';
import type { JobSchedule } from '../storage/job-schedule.ts';

/** Tasks that wait in JetStream for each live slot, and at least. */
const READY_PER_SLOT = 2;
const MIN_READY = 4;
const MAX_READY = 1000;
/** A task whose publication was not recorded by now is published again. */
const UNPUBLISHED_AFTER_MS = 5000;
const BATCH_SIZE = 200;

export interface AdmissionOptions {
  readonly schedule: JobSchedule;
  readonly broker: Broker;
  readonly brokerReady: () => boolean;
  /** Slots of the workers that are up, of a queue. */
  readonly liveSlots: (queue: QueueName) => number;
  /** True while jobs of the queue had better go to their next engine. */
  readonly isOut: (queue: QueueName) => boolean;
  readonly environment: Environment;
  readonly log: Logger;
  readonly metrics?: Metrics | undefined;
}

const QUEUES = ENGINES.map(queueOf);

export interface AdmissionRequest {
  readonly queue: QueueName;
  /** Tasks that may wait in JetStream, not counting running jobs. */
  readonly readyTarget: number;
  readonly now: Date;
}

/** Marks jobs as admitted for the free places of a queue and returns them, with the credits for the next round. */
export async function admitFairly(
  schedule: JobSchedule,
  { queue, readyTarget, now }: AdmissionRequest,
  credits: Credits,
): Promise<{ readonly jobs: readonly AdmittedJob[]; readonly credits: Credits }> {
  const places = await schedule.freePlaces(queue, readyTarget);
  if (places === 0) return { jobs: [], credits };
  const choice = chooseFairly(await schedule.candidates(queue, places), places, credits);
  return { jobs: await schedule.admit(choice.ids, now), credits: choice.credits };
}

/**
 * Moves jobs from waiting in Postgres to ready in JetStream, few at a time, so that task, pauses and limits
 * stay decisions of SQL until the last moment.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #queues: readonly Loop[];
  readonly #timer: Loop;
  #dueTimer: NodeJS.Timeout | null = null;
  readonly #credits = new Map<QueueName, Credits>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
    const { log } = options;
    this.#queues = QUEUES.map(
      (queue) =>
        new Loop({ name: `admission.${queue}`, intervalMs: 2000, log, step: () => this.#admit(queue) }),
    );
    this.#timer = new Loop({ name: 'admission.due', intervalMs: 10_000, log, step: () => this.#wakeDue() });
  }

  /** A job came to wait in the queue, or a place in it became free. */
  wake(queue: QueueName): void {
    this.#queues[QUEUES.indexOf(queue)]?.wake();
  }

  /** A job got a time, which may come before the next one known. */
  wakeTimer(): void {
    this.#timer.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#queues, this.#timer].map((loop) => loop.run(signal)));
    if (this.#dueTimer !== null) clearTimeout(this.#dueTimer);
  }

  async #admit(queue: QueueName): Promise<void> {
    const { schedule, brokerReady, liveSlots, isOut, environment } = this.#options;
    if (!brokerReady()) return;
    if (isOut(queue)) await this.#failOver(queue);
    const readyTarget = Math.min(MAX_READY, Math.max(MIN_READY, READY_PER_SLOT * liveSlots(queue)));
    const request = { queue, readyTarget, now: environment.now() };
    const { jobs, credits } = await admitFairly(schedule, request, this.#credits.get(queue) ?? NO_CREDITS);
    this.#credits.set(queue, credits);
    await this.#publish(jobs);
  }

  async #failOver(queue: QueueName): Promise<void> {
    const { schedule, broker, environment } = this.#options;
    for (const sequence of await schedule.failOver(queue, environment.now()))
      await broker.deleteTask(sequence);
  }

  async #publish(jobs: readonly AdmittedJob[]): Promise<void> {
    const { schedule, broker } = this.#options;
    const published = await Promise.allSettled(
      jobs.map(async (job) => ({
        id: job.id,
        publication: job.publication,
        sequence: (await broker.publishTask(job)).sequence,
      })),
    );
    for (const [at, { status }] of published.entries()) {
      const queue = jobs[at]?.queue;
      if (status === 'fulfilled' && queue !== undefined) this.#options.metrics?.taskPublished(queue);
    }
    await schedule.recordTasks(
      published.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
    );
    const failed = published.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #wakeDue(): Promise<void> {
    const { schedule, environment, brokerReady } = this.#options;
    const now = environment.now();
    const { woken, nextDueAt } = await schedule.wakeDue(now);
    if (woken > 0) for (const queue of this.#queues) queue.wake();
    if (brokerReady()) {
      const olderThan = new Date(now.getTime() - UNPUBLISHED_AFTER_MS);
      await this.#publish(await schedule.unpublished(olderThan, BATCH_SIZE));
    }
    if (this.#dueTimer !== null) clearTimeout(this.#dueTimer);
    if (nextDueAt === null) return;
    const waitMs = Math.max(50, nextDueAt.getTime() - environment.now().getTime());
    if (waitMs < 10_000) this.#dueTimer = setTimeout(() => this.#timer.wake(), waitMs);
  }
}
