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

export interface JobFacts {
  readonly id: string;
  /** The engines it may run on, in order of preference; `engineIndex` is the one it waits for now. */
  readonly engines: readonly Engine[];
  readonly engineIndex: number;
  /** Number of the last attempt that a worker started; 0 before the first. */
  readonly attempt: number;
  /** Ordinal of the last applied fact of that attempt. */
  readonly lastOrdinal: number;
  /** The run that may report on this job; null before the first. */
  readonly instance: string | null;
  /** Attempts of this engine that ended FAILED since the last retry by hand; at `maxAttempts` the job is given up. */
  readonly failures: number;
  /** Runs that vanished since the last retry by hand; at the policy's `maxLostAttempts` the job is poison. */
  readonly lostAttempts: number;
  readonly maxAttempts: number;
  readonly checkpoint: Checkpoint;
  readonly cancelRequestedAt: Date | null;
  readonly deadline: Date | null;
}

export interface ScheduledJob extends JobFacts {
  readonly status: 'SCHEDULED';
  readonly scheduledFor: Date;
}

export interface QueuedJob extends JobFacts {
  readonly status: 'QUEUED';
  /** True while an order of this job may be in JetStream: then only the fact chain may end it. */
  readonly admitted: boolean;
}

export interface ProcessingJob extends JobFacts {
  readonly status: 'PROCESSING';
  readonly instance: string;
}

export interface RetryingJob extends JobFacts {
  readonly status: 'RETRYING';
  readonly nextAttemptAt: Date;
  readonly failure: Failure;
}

export interface CompletedJob extends JobFacts {
  readonly status: 'COMPLETED';
  readonly finishedAt: Date;
}

export interface FailedJob extends JobFacts {
  readonly status: 'FAILED';
  readonly finishedAt: Date;
  readonly failure: Failure;
  /** When the job gave up after its retries, or was found to be poison; null when one failure was enough. */
  readonly deadLetteredAt: Date | null;
}

export interface CanceledJob extends JobFacts {
  readonly status: 'CANCELED';
  readonly finishedAt: Date;
}

/** The fields that every status has, for building the next one. */
export function factsOf(job: Job): JobFacts {
  const { id, engines, engineIndex, attempt, lastOrdinal, instance } = job;
  const { failures, lostAttempts, maxAttempts, checkpoint, cancelRequestedAt, deadline } = job;
  return {
    id,
    engines,
    engineIndex,
    attempt,
    lastOrdinal,
    instance,
    failures,
    lostAttempts,
    maxAttempts,
    checkpoint,
    cancelRequestedAt,
    deadline,
  };
}

export function engineFor(job: Pick<JobFacts, 'engines' | 'engineIndex'>): Engine {
  const engine = job.engines[job.engineIndex] ?? job.engines.at(-1);
  if (engine === undefined) throw new RangeError('a job has at least one engine');
  return engine;
}
