import { mayFailOver } from './engine-capabilities.ts';
import { DEADLINE_EXCEEDED, deadlineFailure, poisonFailure } from './failures.ts';
import {
  admissionOf,
  type CanceledJob,
  type CompletedJob,
  type FailedJob,
  fieldsOf,
  type Job,
  type JobFields,
  type ProcessingJob,
  type QueuedJob,
  type RetryingJob,
} from './job.ts';
import type { ChainEvent, LifecycleContext, Refusal } from './lifecycle-events.ts';
import { retryDelayMs } from './retry-policy.ts';
import type { Checkpoint } from './transcript.ts';
import type { Failure } from './vocabulary.ts';

/** The entries of the table in lifecycle.ts: first what runs report, then what the server does. */

function reported(job: Job, { attempt, runId, ordinal }: ChainEvent): JobFields {
  return { ...fieldsOf(job), attempt, runId, lastOrdinal: ordinal };
}

export function startRun(job: Job, event: ChainEvent, { now }: LifecycleContext): ProcessingJob {
  return {
    ...reported(job, event),
    status: 'PROCESSING',
    runId: event.runId,
    // A run that never ended was lost, and did not fail.
    lostRuns: job.lostRuns + (job.status === 'PROCESSING' ? 1 : 0),
    checkpoint: checkpointAtStart(job.checkpoint, event),
    startedAt: job.startedAt ?? now,
    admission: admissionOf(job) ?? { admittedAt: now, taskSequence: null },
  };
}

/**
 * A run that starts before the stored checkpoint transcribes the rest again, as another generation. That takes a
 * broker that lost its disk while a worker held an old task.
 */
function checkpointAtStart(stored: Checkpoint, { segmentCount, checkpointMs }: ChainEvent): Checkpoint {
  if (segmentCount >= stored.segmentCount) return stored;
  return { ...stored, generation: stored.generation + 1, segmentCount, checkpointMs };
}

function checkpointAfter(job: Job, { segmentCount, checkpointMs, language }: ChainEvent): Checkpoint {
  return { generation: job.checkpoint.generation, segmentCount, checkpointMs, language };
}

export function continueRun(job: ProcessingJob, event: ChainEvent): ProcessingJob {
  return { ...job, lastOrdinal: event.ordinal, checkpoint: checkpointAfter(job, event) };
}

export function addSegments(
  job: ProcessingJob,
  event: Extract<ChainEvent, { readonly type: 'segments' }>,
): ProcessingJob | Refusal {
  const first = event.segments[0];
  if (first !== undefined && first.index !== job.checkpoint.segmentCount) return 'GAP';
  return continueRun(job, event);
}

export function completeRun(job: ProcessingJob, event: ChainEvent, context: LifecycleContext): CompletedJob {
  const checkpoint = checkpointAfter(job, event);
  return { ...reported(job, event), status: 'COMPLETED', checkpoint, ...finished(context) };
}

/** Also ends a job that waits: a run that started on a lost job only to give it up, or the server. */
export function failRun(
  job: Job,
  event: Extract<ChainEvent, { readonly type: 'failed' }>,
  context: LifecycleContext,
): QueuedJob | RetryingJob | FailedJob | CanceledJob {
  const { failure } = event;
  // A run that opens with this failure reports the loss of the run before it; one that started has counted it then.
  const lost = failure.kind === 'WORKER_LOST' && event.attempt > job.attempt ? 1 : 0;
  const fields: JobFields = {
    ...reported(job, event),
    failures: job.failures + 1,
    lostRuns: job.lostRuns + lost,
  };
  if (fields.cancelRequestedAt !== null) return cancel(fields, context);
  if (failure.code === DEADLINE_EXCEEDED) return fail(fields, failure, context);
  if (fields.deadline !== null && fields.deadline <= context.now) {
    return fail(fields, deadlineFailure(failure), context);
  }
  if (mayFailOver(failure.kind) && fields.engineIndex + 1 < fields.engines.length) {
    return queue(withNextEngine(fields), context);
  }
  return retryLater(fields, failure, context);
}

function retryLater(fields: JobFields, failure: Failure, context: LifecycleContext): RetryingJob | FailedJob {
  const { now, random, policy } = context;
  const isPoison = fields.lostRuns >= policy.maxLostRuns;
  if (!failure.retryable || isPoison || fields.failures >= fields.maxAttempts) {
    return fail(fields, failure, context, isPoison || failure.retryable ? now : null);
  }
  const nextAttemptAt = new Date(now.getTime() + retryDelayMs(policy, fields.failures, failure, random));
  if (fields.deadline !== null && nextAttemptAt >= fields.deadline) {
    return fail(fields, deadlineFailure(failure), context);
  }
  return { ...fields, status: 'RETRYING', nextAttemptAt, failure, failureAt: now };
}

export function cancelRun(job: Job, event: ChainEvent, context: LifecycleContext): CanceledJob {
  return cancel(reported(job, event), context);
}

/**
 * The server gave the run up. A lost run counts against `maxLostRuns` alone: that workers were killed says nothing
 * about the recording, and a bad deploy must not use up the attempts that are kept for failures.
 */
export function loseRun(
  job: ProcessingJob,
  event: ChainEvent,
  context: LifecycleContext,
): QueuedJob | FailedJob {
  const lostRuns = job.lostRuns + 1;
  const fields = { ...reported(job, event), runId: job.runId, lostRuns };
  if (job.cancelRequestedAt === null && lostRuns >= context.policy.maxLostRuns) {
    return fail(fields, poisonFailure(lostRuns), context, context.now);
  }
  return waitForRedelivery(job, fields);
}

export function releaseRun(job: ProcessingJob, event: ChainEvent): QueuedJob {
  return waitForRedelivery(job, reported(job, event));
}

/** Its task is delivered to another worker; so even with a cancel requested, only the chain may end it. */
function waitForRedelivery({ admission }: ProcessingJob, fields: JobFields): QueuedJob {
  return { ...fields, status: 'QUEUED', admission };
}

export function whenDue(job: Job, dueAt: Date, context: LifecycleContext): QueuedJob | Refusal {
  return dueAt <= context.now ? queue(fieldsOf(job), context) : 'NOT_NOW';
}

/** It begins to wait for a worker. */
function queue(fields: JobFields, { now }: LifecycleContext): QueuedJob {
  return { ...fields, status: 'QUEUED', queuedAt: now, admission: null };
}

export function admit(job: QueuedJob, _: unknown, { now }: LifecycleContext): QueuedJob | Refusal {
  if (job.admission !== null) return 'NOT_NOW';
  const admission = { admittedAt: now, taskSequence: null };
  return { ...job, publication: job.publication + 1, admission };
}

export function recordTask(
  job: QueuedJob | ProcessingJob,
  task: { readonly publication: number; readonly sequence: number },
): Job | Refusal {
  if (job.admission === null || task.publication !== job.publication) return 'NOT_NOW';
  return { ...job, admission: { ...job.admission, taskSequence: task.sequence } };
}

export function readmit(job: QueuedJob | ProcessingJob): Job | Refusal {
  if (job.admission === null) return 'NOT_NOW';
  return { ...job, publication: job.publication + 1, admission: { ...job.admission, taskSequence: null } };
}

export function withdraw(job: QueuedJob): QueuedJob | Refusal {
  return job.admission === null ? 'NOT_NOW' : { ...job, admission: null };
}

export function leaveEngine(job: QueuedJob): QueuedJob | Refusal {
  if (job.engineIndex + 1 >= job.engines.length) return 'NOT_NOW';
  return { ...job, ...withNextEngine(fieldsOf(job)), admission: null };
}

/** The next engine gets attempts of its own: the failures of one say nothing about another. */
function withNextEngine(fields: JobFields): JobFields {
  return { ...fields, engineIndex: fields.engineIndex + 1, failures: 0 };
}

/** Ends a job that no worker can have. Else the request is noted, and the chain decides between it and a run. */
export function requestCancel(job: Job, _: unknown, context: LifecycleContext): Job {
  const requested = { cancelRequestedAt: job.cancelRequestedAt ?? context.now };
  if (admissionOf(job) === null) return cancel({ ...fieldsOf(job), ...requested }, context);
  return job.cancelRequestedAt === null ? { ...job, ...requested } : job;
}

export function passDeadline(job: Job, _: unknown, context: LifecycleContext): FailedJob | Refusal {
  if (job.deadline === null || job.deadline > context.now) return 'NOT_NOW';
  if (admissionOf(job) !== null) return 'ON_CHAIN';
  return fail(fieldsOf(job), deadlineFailure(job.status === 'RETRYING' ? job.failure : null), context);
}

/** Behind the attempts that it had, with a new allowance of failures. */
export function retryByHand(
  job: FailedJob,
  { startOver, atLeastAttempt = 0 }: { readonly startOver: boolean; readonly atLeastAttempt?: number },
  context: LifecycleContext,
): QueuedJob {
  const generation = job.checkpoint.generation + 1;
  const nothing = { generation, segmentCount: 0, checkpointMs: 0, language: null };
  const anew = { failures: 0, lostRuns: 0, engineIndex: 0, deadline: null, cancelRequestedAt: null };
  // Behind a broken chain, whose checkpoint may be ahead of the stored one, another generation makes the stored one count.
  const stored = atLeastAttempt > 0 ? { ...job.checkpoint, generation } : job.checkpoint;
  const checkpoint = startOver ? nothing : stored;
  const attempt = Math.max(job.attempt, atLeastAttempt);
  return queue({ ...fieldsOf(job), ...anew, attempt, checkpoint }, context);
}

/** Ends the job visibly: what the chain says after this cannot be trusted, and only a retry opens it again. */
export function breakOff(
  job: Job,
  { failure }: { readonly failure: Failure },
  context: LifecycleContext,
): FailedJob {
  return fail(fieldsOf(job), failure, context, context.now);
}

export function discard(job: FailedJob): FailedJob | Refusal {
  return job.deadLetteredAt === null ? 'NOT_NOW' : { ...job, deadLetteredAt: null };
}

function cancel(fields: JobFields, context: LifecycleContext): CanceledJob {
  return { ...fields, status: 'CANCELED', ...finished(context) };
}

function fail(
  fields: JobFields,
  failure: Failure,
  context: LifecycleContext,
  deadLetteredAt: Date | null = null,
): FailedJob {
  const failed = { failure, failureAt: context.now, deadLetteredAt };
  return { ...fields, status: 'FAILED', ...failed, ...finished(context) };
}

function finished({ now, policy }: LifecycleContext): {
  readonly finishedAt: Date;
  readonly expiresAt: Date;
} {
  return { finishedAt: now, expiresAt: new Date(now.getTime() + policy.retentionMs) };
}
