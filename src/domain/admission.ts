import type { Job } from './job.ts';
import type { NewJob } from './new-job.ts';
import { JOB_PRIORITIES, type JobPriority, type QueueName, type TranscriptionOptions } from './vocabulary.ts';

/** A job that could be admitted, with what fairness needs to know. */
export interface WaitingJob {
  readonly id: string;
  readonly tenantId: string;
  readonly priority: JobPriority;
  readonly queuedAt: Date;
  /** Jobs of the tenant that are admitted or running in the queue. */
  readonly tenantRunning: number;
  /** How many of the tenant's jobs may be; null means any. */
  readonly tenantLimit: number | null;
}

/** Of 15 places, CRITICAL gets 8, HIGH 4, NORMAL 2 and LOW 1, when all of them wait: low never starves. */
export const PRIORITY_WEIGHTS: Readonly<Record<JobPriority, number>> = {
  CRITICAL: 8,
  HIGH: 4,
  NORMAL: 2,
  LOW: 1,
};

/**
 * Chooses which waiting jobs get the free places: classes by weight, within a class the tenant with the
 * fewest running jobs first, then the one that waited longest.
 *
 * @param credits What each class is owed from earlier calls; changed in place, so that weights also hold when
 *   places come free one at a time.
 * @returns ids in the order of admission; at most `places`.
 */
export function chooseFairly(
  waiting: readonly WaitingJob[],
  places: number,
  credits: Credits,
): readonly string[] {
  const classes = JOB_PRIORITIES.toReversed().map((priority) => ({
    priority,
    jobs: waiting.filter((job) => job.priority === priority).sort(byTime),
  }));
  const running = new Map(waiting.map((job) => [job.tenantId, job.tenantRunning]));
  const chosen: string[] = [];
  while (chosen.length < places) {
    const job = nextOf(classes, running, credits);
    if (job === null) break;
    running.set(job.tenantId, (running.get(job.tenantId) ?? 0) + 1);
    chosen.push(job.id);
  }
  return chosen;
}

export type Credits = Map<JobPriority, number>;

interface PriorityClass {
  readonly priority: JobPriority;
  jobs: WaitingJob[];
}

/** Smooth weighted round robin over the classes that have a job to offer. */
function nextOf(
  classes: readonly PriorityClass[],
  running: ReadonlyMap<string, number>,
  credits: Credits,
): WaitingJob | null {
  const offers = classes.flatMap((priorityClass) => {
    const job = fairest(priorityClass.jobs, running);
    return job === null ? [] : [{ priorityClass, job }];
  });
  let total = 0;
  for (const { priorityClass } of offers) {
    const weight = PRIORITY_WEIGHTS[priorityClass.priority];
    total += weight;
    credits.set(priorityClass.priority, creditOf(credits, priorityClass) + weight);
  }
  // The first of equals is the more urgent class.
  const best = offers.reduce<(typeof offers)[number] | null>(
    (winner, offer) =>
      winner === null || creditOf(credits, offer.priorityClass) > creditOf(credits, winner.priorityClass)
        ? offer
        : winner,
    null,
  );
  if (best === null) return null;
  credits.set(best.priorityClass.priority, creditOf(credits, best.priorityClass) - total);
  best.priorityClass.jobs = best.priorityClass.jobs.filter((job) => job !== best.job);
  return best.job;
}

const creditOf = (credits: Credits, priorityClass: PriorityClass): number =>
  credits.get(priorityClass.priority) ?? 0;

function fairest(jobs: readonly WaitingJob[], running: ReadonlyMap<string, number>): WaitingJob | null {
  let best: WaitingJob | null = null;
  let fewest = Number.POSITIVE_INFINITY;
  for (const job of jobs) {
    const mine = running.get(job.tenantId) ?? 0;
    if (job.tenantLimit !== null && mine >= job.tenantLimit) continue;
    if (mine < fewest) {
      best = job;
      fewest = mine;
    }
  }
  return best;
}

const byTime = (a: WaitingJob, b: WaitingJob): number =>
  a.queuedAt.getTime() - b.queuedAt.getTime() || (a.id < b.id ? -1 : 1);

/** A task to be published: what admission chose, with all that the task needs. */
export interface AdmittedJob {
  readonly id: string;
  readonly queue: QueueName;
  readonly priority: JobPriority;
  readonly attempt: number;
  readonly publication: number;
  readonly source: { readonly url: string } | { readonly uploadId: string };
  readonly audio: NewJob['audio'] & {
    /** As an earlier attempt measured it; null before the first. */
    readonly durationMs: number | null;
  };
  readonly options: TranscriptionOptions;
  readonly resume: Job['checkpoint'];
  readonly deadline: Date | null;
}
