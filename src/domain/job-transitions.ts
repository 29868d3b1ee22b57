import {
  type CompletedJob,
  type FailedJob,
  fieldsOf,
  type Job,
  type ProcessingJob,
  type QueuedJob,
} from './job.ts';
import type { Checkpoint } from './transcript.ts';
import { accept, mayReport, type Report, refuse, type Transition } from './transition.ts';
import { isFinal } from './vocabulary.ts';

/** True when an attempt begins, or ends before it began, on segments that were never applied: events are missing. */
export function buildsOnMissing(job: Job, attempt: number, checkpoint: Checkpoint): boolean {
  if (isFinal(job.status) || attempt <= job.attempt) return false;
  const stored = job.checkpoint;
  return checkpoint.generation === stored.generation && checkpoint.segmentCount > stored.segmentCount;
}

/** A worker began attempt `report.attempt`. A former attempt that never ended counts as lost, and not as failed. */
export function startAttempt(job: Job, report: Report, checkpoint: Checkpoint): Transition<ProcessingJob> {
  if (isFinal(job.status)) return refuse('JOB_FINAL');
  if (report.attempt <= job.attempt) return refuse('STALE');
  const lost = job.status === 'PROCESSING' ? 1 : 0;
  return accept({
    ...fieldsOf(job),
    status: 'PROCESSING',
    attempt: report.attempt,
    runId: report.runId,
    lastOrdinal: report.ordinal,
    lostRuns: job.lostRuns + lost,
    checkpoint: restart(job.checkpoint, checkpoint),
  });
}

/**
 * A run that starts behind what is stored makes the rest of the transcript anew, so it becomes another
 * generation. That takes a broker that lost its disk while a worker held an old task.
 */
function restart(stored: Checkpoint, started: Checkpoint): Checkpoint {
  if (started.segmentCount >= stored.segmentCount) return stored;
  const { segmentCount, checkpointMs } = started;
  return { ...stored, generation: stored.generation + 1, segmentCount, checkpointMs };
}

/** The run in hand stored more of the transcript, or learned something of the audio. */
export function continueAttempt(job: Job, report: Report, checkpoint: Checkpoint): Transition<ProcessingJob> {
  const refusal = mayReport(job, report);
  if (refusal !== null || job.status !== 'PROCESSING') return refuse(refusal ?? 'STALE');
  return accept({
    ...job,
    lastOrdinal: report.ordinal,
    checkpoint: { ...checkpoint, generation: job.checkpoint.generation },
  });
}

export function completeAttempt(
  job: Job,
  report: Report,
  checkpoint: Checkpoint,
  now: Date,
): Transition<CompletedJob> {
  const refusal = mayReport(job, report);
  if (refusal !== null) return refuse(refusal);
  return accept({
    ...fieldsOf(job),
    status: 'COMPLETED',
    lastOrdinal: report.ordinal,
    checkpoint: { ...checkpoint, generation: job.checkpoint.generation },
    finishedAt: now,
  });
}

/** A failed job is tried again by hand: same id, fresh allowance of attempts. */
export function retryByHand(job: FailedJob, change: { readonly startOver: boolean }): QueuedJob {
  const { generation, language } = job.checkpoint;
  return {
    ...fieldsOf(job),
    status: 'QUEUED',
    admitted: false,
    failures: 0,
    lostRuns: 0,
    engineIndex: 0,
    deadline: null,
    cancelRequestedAt: null,
    checkpoint: change.startOver
      ? { generation: generation + 1, segmentCount: 0, checkpointMs: 0, language: null }
      : { ...job.checkpoint, language },
  };
}
