import type { Checkpoint } from './transcript.ts';
import type { Engine, Failure } from './vocabulary.ts';

/**
 * A request to transcribe one recording, as its lifecycle sees it.
 *
 * The union is the lifecycle: a field exists only in the statuses where it means something. The
 * arrows between statuses are the functions of job-transitions.ts and job-endings.ts.
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
  /** The run that may report on this job; null before the first. */
  readonly runId: string | null;
  /** Attempts of this engine that ended FAILED since the last retry by hand; at `maxAttempts` the job is given up. */
  readonly failures: number;
  /** Runs that vanished since the last retry by hand; at the policy's `maxLostRuns` the job is poison. */
  readonly lostRuns: number;
  readonly maxAttempts: number;
  readonly checkpoint: Checkpoint;
  readonly cancelRequestedAt: Date | null;
  readonly deadline: Date | null;
}

export interface ScheduledJob extends JobFields {
  readonly status: 'SCHEDULED';
  readonly scheduledFor: Date;
}

export interface QueuedJob extends JobFields {
  readonly status: 'QUEUED';
  /** True while a task of this job may be in JetStream: then only the event chain may end it. */
  readonly admitted: boolean;
}

export interface ProcessingJob extends JobFields {
  readonly status: 'PROCESSING';
  readonly runId: string;
}

export interface RetryingJob extends JobFields {
  readonly status: 'RETRYING';
  readonly nextAttemptAt: Date;
  readonly failure: Failure;
}

export interface CompletedJob extends JobFields {
  readonly status: 'COMPLETED';
  readonly finishedAt: Date;
}

export interface FailedJob extends JobFields {
  readonly status: 'FAILED';
  readonly finishedAt: Date;
  readonly failure: Failure;
  /** When the job gave up after its retries, or was found to be poison; null when one failure was enough. */
  readonly deadLetteredAt: Date | null;
}

export interface CanceledJob extends JobFields {
  readonly status: 'CANCELED';
  readonly finishedAt: Date;
}

/** The fields that every status has, for building the next one. */
export function fieldsOf(job: Job): JobFields {
  const { id, engines, engineIndex, attempt, lastOrdinal, runId } = job;
  const { failures, lostRuns, maxAttempts, checkpoint, cancelRequestedAt, deadline } = job;
  return {
    id,
    engines,
    engineIndex,
    attempt,
    lastOrdinal,
    runId,
    failures,
    lostRuns,
    maxAttempts,
    checkpoint,
    cancelRequestedAt,
    deadline,
  };
}

export function engineFor(job: Pick<JobFields, 'engines' | 'engineIndex'>): Engine {
  const engine = job.engines[job.engineIndex] ?? job.engines.at(-1);
  if (engine === undefined) throw new RangeError('a job has at least one engine');
  return engine;
}
