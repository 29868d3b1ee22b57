import type { Job, JobFields, QueuedJob, ScheduledJob } from './job.ts';
import type {
  ChainEvent,
  LifecycleContext,
  LifecycleEvent,
  Refusal,
  Transition,
} from './lifecycle-events.ts';
import {
  addSegments,
  admit,
  breakOff,
  cancelRun,
  completeRun,
  continueRun,
  discard,
  failRun,
  leaveEngine,
  loseRun,
  passDeadline,
  readmit,
  recordTask,
  releaseRun,
  requestCancel,
  retryByHand,
  startRun,
  whenDue,
  withdraw,
} from './lifecycle-rules.ts';
import type { NewJob } from './new-job.ts';
import { isFinal, type JobStatus } from './vocabulary.ts';

/**
 * The lifecycle of a job: what each event does in each status. An event that has no entry is refused. Everything here
 * is pure; storage/job-schedule.ts does some of it to many rows at once in SQL, and is tested against this table.
 */
const LIFECYCLE: Lifecycle = {
  SCHEDULED: {
    due: (job, _, context) => whenDue(job, job.scheduledFor, context),
    cancelRequested: requestCancel,
    deadlinePassed: passDeadline,
    started: startRun,
    failed: failRun,
    canceled: cancelRun,
    chainBroken: breakOff,
  },
  QUEUED: {
    admitted: admit,
    taskRecorded: recordTask,
    readmitted: readmit,
    withdrawn: withdraw,
    engineAbsent: leaveEngine,
    cancelRequested: requestCancel,
    deadlinePassed: passDeadline,
    started: startRun,
    failed: failRun,
    canceled: cancelRun,
    chainBroken: breakOff,
  },
  PROCESSING: {
    taskRecorded: recordTask,
    readmitted: readmit,
    cancelRequested: requestCancel,
    started: startRun,
    audio: continueRun,
    segments: addSegments,
    opaque: continueRun,
    completed: completeRun,
    failed: failRun,
    canceled: cancelRun,
    chainBroken: breakOff,
    released: releaseRun,
    lost: loseRun,
  },
  RETRYING: {
    due: (job, _, context) => whenDue(job, job.nextAttemptAt, context),
    cancelRequested: requestCancel,
    deadlinePassed: passDeadline,
    started: startRun,
    failed: failRun,
    canceled: cancelRun,
    chainBroken: breakOff,
  },
  COMPLETED: {},
  FAILED: {
    retried: retryByHand,
    discarded: discard,
  },
  CANCELED: {},
};

type Lifecycle = {
  readonly [Status in JobStatus]: {
    readonly [Type in LifecycleEvent['type']]?: Rule<
      Extract<Job, { readonly status: Status }>,
      Extract<LifecycleEvent, { readonly type: Type }>
    >;
  };
};
type Rule<Before, Event> = (job: Before, event: Event, context: LifecycleContext) => Job | Refusal;

/** Applies an event to a job by the table. */
export function advance(job: Job, event: LifecycleEvent, context: LifecycleContext): Transition {
  const refusal = 'runId' in event ? refusalOf(job, event) : null;
  if (refusal !== null) return { ok: false, refusal };
  // The compiler does not see that the entry of a status and a type takes that status and that type.
  const rule = LIFECYCLE[job.status][event.type] as Rule<Job, LifecycleEvent> | undefined;
  const next = rule?.(job, event, context) ?? (isFinal(job.status) ? 'JOB_FINAL' : 'NOT_NOW');
  return typeof next === 'string' ? { ok: false, refusal: next } : { ok: true, job: next };
}

/** A job as it is submitted. */
export function submit(job: NewJob): ScheduledJob | QueuedJob {
  const { id, engines, maxAttempts, deadline, submittedAt, scheduledFor } = job;
  const fields: JobFields = {
    ...{ id, engines, engineIndex: 0, attempt: 0, lastOrdinal: 0, runId: null, failures: 0, lostRuns: 0 },
    ...{ maxAttempts, deadline, cancelRequestedAt: null, publication: 0, queuedAt: null, startedAt: null },
    checkpoint: { generation: 0, segmentCount: 0, checkpointMs: 0, language: null },
  };
  if (scheduledFor !== null && scheduledFor > submittedAt) {
    return { ...fields, status: 'SCHEDULED', scheduledFor };
  }
  return { ...fields, status: 'QUEUED', queuedAt: submittedAt, admission: null };
}

/**
 * Which events of the chain count: those of the run that has the job, in order. Repeats, and runs that lost the job,
 * are refused, so that the chain may be read again at any time.
 */
function refusalOf(job: Job, event: ChainEvent): Refusal | null {
  if (isFinal(job.status)) return 'JOB_FINAL';
  if (event.attempt < job.attempt) return 'STALE';
  // The server opens an ended chain again with a release, of which the job has no run.
  if (event.attempt > job.attempt && event.type === 'released' && event.ordinal === 1) return 'STALE';
  if (event.attempt > job.attempt) return mayOpenAttempt(job, event) ? null : 'GAP';
  const isRunning = job.status === 'PROCESSING';
  const isByTheRun = event.runId === job.runId;
  switch (event.type) {
    case 'started':
      return 'STALE';
    case 'lost':
      if (!isRunning) return 'STALE';
      break;
    case 'failed':
    case 'canceled':
      if (isRunning && !isByTheRun) return 'NOT_THE_RUN';
      // A waiting job is ended by the server; its last run publishes nothing after its own end.
      if (!isRunning && isByTheRun) return 'STALE';
      break;
    default:
      if (!isByTheRun) return 'NOT_THE_RUN';
      if (!isRunning) return 'STALE';
  }
  if (event.ordinal <= job.lastOrdinal) return 'STALE';
  return event.ordinal === job.lastOrdinal + 1 ? null : 'GAP';
}

/** An attempt opens with its start, or with its end where a worker or the server finds nothing left to do. */
function mayOpenAttempt({ checkpoint }: Job, event: ChainEvent): boolean {
  const opens = event.type === 'started' || event.type === 'failed' || event.type === 'canceled';
  const isFirst = event.type === 'started' || event.ordinal === 1;
  const isWhole = event.generation !== checkpoint.generation || event.segmentCount <= checkpoint.segmentCount;
  return opens && isFirst && isWhole;
}
