import { mayFailOver } from './engine-capabilities.ts';
import {
  type CanceledJob,
  type FailedJob,
  fieldsOf,
  type Job,
  type QueuedJob,
  type RetryingJob,
} from './job.ts';
import { type RetryPolicy, retryDelayMs } from './retry-policy.ts';
import { accept, follows, mayEnd, mayReport, type Report, refuse, type Transition } from './transition.ts';
import { type Failure, isFinal } from './vocabulary.ts';

/**
 * Ends an attempt that failed: to the next engine at once when the fault is the engine's, else to
 * RETRYING while the failure may pass, attempts remain and the deadline allows; otherwise to FAILED. A
 * cancel that was asked for wins over a retry. Only attempts that say that they failed are counted here, in
 * `failures`; see `loseAttempt` for those that vanish.
 */
export function failAttempt(
  job: Job,
  report: Report,
  failure: Failure,
  policy: RetryPolicy,
  now: Date,
  random: number,
): Transition<QueuedJob | RetryingJob | FailedJob | CanceledJob> {
  const refusal = mayEnd(job, report);
  if (refusal !== null) return refuse(refusal);
  // A run that gave the job up as poison tells of the run before it; one that began was counted then.
  const lost = failure.kind === 'WORKER_LOST' && report.attempt > job.attempt ? 1 : 0;
  const ended: Job = {
    ...job,
    attempt: report.attempt,
    runId: report.runId,
    lastOrdinal: report.ordinal,
    failures: job.failures + 1,
    lostRuns: job.lostRuns + lost,
  };
  return accept(afterFailure(ended, failure, policy, now, random));
}

function afterFailure(
  job: Job,
  failure: Failure,
  policy: RetryPolicy,
  now: Date,
  random: number,
): QueuedJob | RetryingJob | FailedJob | CanceledJob {
  if (job.cancelRequestedAt !== null) return { ...fieldsOf(job), status: 'CANCELED', finishedAt: now };

  // No engine has time left after the deadline.
  if (failure.code === DEADLINE_EXCEEDED || (job.deadline !== null && now >= job.deadline)) {
    return fail(job, failure.code === DEADLINE_EXCEEDED ? failure : deadlineFailure(failure), now, null);
  }
  if (mayFailOver(failure.kind) && job.engineIndex + 1 < job.engines.length) {
    // The next engine gets its own attempts: the first one's troubles say nothing about it.
    return {
      ...fieldsOf(job),
      status: 'QUEUED',
      admitted: false,
      engineIndex: job.engineIndex + 1,
      failures: 0,
    };
  }
  const poison = job.lostRuns >= policy.maxLostRuns;
  const exhausted = job.failures >= job.maxAttempts;
  if (failure.retryable && !poison && !exhausted) {
    const nextAttemptAt = new Date(now.getTime() + retryDelayMs(policy, job.failures, failure, random));
    if (job.deadline === null || nextAttemptAt < job.deadline) {
      return { ...fieldsOf(job), status: 'RETRYING', nextAttemptAt, failure };
    }
    return fail(job, deadlineFailure(failure), now, null);
  }
  const deadLetteredAt = poison || failure.retryable ? now : null;
  return fail(job, failure, now, deadLetteredAt);
}

function fail(job: Job, failure: Failure, now: Date, deadLetteredAt: Date | null): FailedJob {
  return { ...fieldsOf(job), status: 'FAILED', finishedAt: now, failure, deadLetteredAt };
}

/** The run let go because it was told to, or the server ended the job before a run began. */
export function cancelAttempt(job: Job, report: Report, now: Date): Transition<CanceledJob> {
  const refusal = mayEnd(job, report);
  if (refusal !== null) return refuse(refusal);
  const { attempt, runId, ordinal: lastOrdinal } = report;
  return accept({ ...fieldsOf(job), status: 'CANCELED', attempt, runId, lastOrdinal, finishedAt: now });
}

/** A worker that shuts down gave the job back: it waits again, and the attempt does not count. */
export function releaseAttempt(job: Job, report: Report): Transition<QueuedJob> {
  const refusal = mayReport(job, report);
  if (refusal !== null) return refuse(refusal);
  return accept(waitAgain({ ...job, lastOrdinal: report.ordinal }));
}

/**
 * The server gave the run up: it waits again, unless it was lost too often. Its task is still in JetStream and
 * is delivered to another worker, so the job stays admitted. A lost run counts against `maxLostRuns` alone: that
 * workers were killed says nothing about whether the recording can be transcribed, and counting it against
 * `maxAttempts` too would let one deploy that goes wrong use up what is kept for real failures.
 */
export function loseAttempt(
  job: Job,
  report: Report,
  policy: RetryPolicy,
  now: Date,
): Transition<QueuedJob | FailedJob> {
  if (isFinal(job.status)) return refuse('JOB_FINAL');
  if (report.attempt > job.attempt) return refuse('GAP');
  if (report.attempt < job.attempt || job.status !== 'PROCESSING') return refuse('STALE');
  const refusal = follows(job, report);
  if (refusal !== null) return refuse(refusal);
  const ended: Job = {
    ...job,
    lastOrdinal: report.ordinal,
    lostRuns: job.lostRuns + 1,
  };
  if (ended.cancelRequestedAt === null && ended.lostRuns >= policy.maxLostRuns) {
    return accept(fail(ended, poisonFailure(ended.lostRuns), now, now));
  }
  return accept(waitAgain(ended));
}

/** Also with a cancel pending: its task may be in another worker's hands, so only the chain may end it. */
function waitAgain(job: Job): QueuedJob {
  return { ...fieldsOf(job), status: 'QUEUED', admitted: true };
}

/** A job that was asked to stop before any order of it existed, or whose time ran out while it waited. */
export function endWaiting(
  job: Job,
  end: { readonly failure: Failure | null },
  now: Date,
): CanceledJob | FailedJob {
  if (end.failure === null) return { ...fieldsOf(job), status: 'CANCELED', finishedAt: now };
  return fail(job, end.failure, now, null);
}

const DEADLINE_EXCEEDED = 'DEADLINE_EXCEEDED';

export function poisonFailure(lostRuns: number): Failure {
  return {
    kind: 'WORKER_LOST',
    code: 'WORKER_LOST_REPEATEDLY',
    message:
      `The job's worker vanished ${lostRuns} times while it had this recording, so it is not tried again by ` +
      'itself. Look at the workers (memory, crashes), then retry the job.',
    retryable: false,
  };
}

export function deadlineFailure(cause: Failure | null): Failure {
  return {
    kind: 'TIMEOUT',
    code: DEADLINE_EXCEEDED,
    message:
      'The job was not finished by its deadline.' +
      (cause === null ? '' : ` Its last attempt failed: ${cause.message}`),
    retryable: false,
  };
}
