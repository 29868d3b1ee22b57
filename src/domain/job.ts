import type { Checkpoint } from './transcript.ts';
import type { Engine, Failure } from './vocabulary.ts';

/**
 * The state of a job in its lifecycle; lifecycle.ts has the table that moves it. A field exists only in the statuses
 * where it means something.
 */
export type Job =
  | ScheduledJob
  | QueuedJob
  | ProcessingJob
  | RetryingJob
  | CompletedJob
  | FailedJob
  | CanceledJob;

export interface JobFields {
  readonly id: string;
  /** The engines it may run on, in order of preference; `engineIndex` is the one it waits for now. */
  readonly engines: readonly Engine[];
  readonly engineIndex: number;
  /** Number of the last attempt that a worker started; 0 before the first. */
  readonly attempt: number;
  /** Ordinal of the last applied event of that attempt. */
  readonly lastOrdinal: number;
  /** The run whose events count; null before the first. */
  readonly runId: string | null;
  /** Attempts with this engine that FAILED since the last retry by hand; the job fails at `maxAttempts`. */
  readonly failures: number;
  /** Runs that were lost since the last retry by hand; the job fails at the policy's `maxLostRuns`. */
  readonly lostRuns: number;
  readonly maxAttempts: number;
  readonly checkpoint: Checkpoint;
  readonly cancelRequestedAt: Date | null;
  readonly deadline: Date | null;
  /** Counts the tasks that were published for it. */
  readonly publication: number;
  /** When it last began to wait for a worker. */
  readonly queuedAt: Date | null;
  /** When its first run started. */
  readonly startedAt: Date | null;
}

/** An admitted job has a task in JetStream: from then on only an event on its chain may end it. */
export interface Admission {
  readonly admittedAt: Date;
  /** Null until the publication of the task is recorded. */
  readonly taskSequence: number | null;
}

export interface ScheduledJob extends JobFields {
  readonly status: 'SCHEDULED';
  readonly scheduledFor: Date;
}

export interface QueuedJob extends JobFields {
  readonly status: 'QUEUED';
  readonly admission: Admission | null;
}

export interface ProcessingJob extends JobFields {
  readonly status: 'PROCESSING';
  readonly runId: string;
  readonly admission: Admission;
}

export interface RetryingJob extends JobFields {
  readonly status: 'RETRYING';
  readonly nextAttemptAt: Date;
  readonly failure: Failure;
  readonly failureAt: Date;
}

/** A final job is deleted at `expiresAt`. */
export interface CompletedJob extends JobFields {
  readonly status: 'COMPLETED';
  readonly finishedAt: Date;
  readonly expiresAt: Date;
}

export interface FailedJob extends JobFields {
  readonly status: 'FAILED';
  readonly finishedAt: Date;
  readonly expiresAt: Date;
  readonly failure: Failure;
  readonly failureAt: Date;
  /** When its retries were used up or too many runs were lost; null when one failure was enough, and once discarded. */
  readonly deadLetteredAt: Date | null;
}

export interface CanceledJob extends JobFields {
  readonly status: 'CANCELED';
  readonly finishedAt: Date;
  readonly expiresAt: Date;
}

/** The fields that every status has, for building the next one. */
export function fieldsOf(job: Job): JobFields {
  const { id, engines, engineIndex, attempt, lastOrdinal, runId, failures, lostRuns, maxAttempts } = job;
  const { checkpoint, cancelRequestedAt, deadline, publication, queuedAt, startedAt } = job;
  return {
    ...{ id, engines, engineIndex, attempt, lastOrdinal, runId, failures, lostRuns, maxAttempts },
    ...{ checkpoint, cancelRequestedAt, deadline, publication, queuedAt, startedAt },
  };
}

export function engineFor(job: Pick<JobFields, 'engines' | 'engineIndex'>): Engine {
  const engine = job.engines[job.engineIndex] ?? job.engines.at(-1);
  if (engine === undefined) throw new RangeError('a job has at least one engine');
  return engine;
}

export function admissionOf(job: Job): Admission | null {
  return 'admission' in job ? job.admission : null;
}

export function isDeadLetter(job: Job): job is FailedJob {
  return job.status === 'FAILED' && job.deadLetteredAt !== null;
}
