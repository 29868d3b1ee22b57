import type { Job } from './job.ts';
import { isFinal } from './vocabulary.ts';

/**
 * Every arrow of the lifecycle, as a function of the job, what happened, and the clock. Nothing here
 * reads a clock, draws a random number or does I/O.
 */
export type Transition<Next extends Job = Job> =
  | { readonly ok: true; readonly job: Next }
  | { readonly ok: false; readonly refusal: Refusal };

/** Why a transition was refused; the event is then ignored (duplicates, zombies) or quarantined. */
export type Refusal =
  /** The job is final. */
  | 'JOB_FINAL'
  /** An event of an attempt that is over, or one that was applied before. */
  | 'STALE'
  /** An event of the current attempt by another run. */
  | 'NOT_THE_RUN'
  /** Events are missing in between; the projector must not go on. */
  | 'GAP';

/** Which run reports, and where in it. */
export interface Report {
  readonly attempt: number;
  readonly runId: string;
  readonly ordinal: number;
}

export const refuse = (refusal: Refusal): { readonly ok: false; readonly refusal: Refusal } => ({
  ok: false,
  refusal,
});
export const accept = <Next extends Job>(job: Next): { readonly ok: true; readonly job: Next } => ({
  ok: true,
  job,
});

/** Checks that an event comes from the run that has the job, in its task. */
export function mayReport(job: Job, report: Report): Refusal | null {
  if (isFinal(job.status)) return 'JOB_FINAL';
  if (report.attempt < job.attempt) return 'STALE';
  if (report.attempt > job.attempt) return 'GAP';
  if (report.runId !== job.runId) return 'NOT_THE_RUN';
  if (job.status !== 'PROCESSING') return 'STALE';
  return follows(job, report);
}

/**
 * Checks an end that need not come from the run itself: a worker that finds nothing left to do (the job is poison, or
 * to be canceled) ends the attempt it would have begun, and the server ends jobs that nobody runs.
 */
export function mayEnd(job: Job, report: Report): Refusal | null {
  if (isFinal(job.status)) return 'JOB_FINAL';
  if (report.attempt > job.attempt) return report.ordinal === 1 ? null : 'GAP';
  if (job.status === 'PROCESSING' || report.attempt < job.attempt) return mayReport(job, report);
  // A run says nothing after its own end.
  return report.runId === job.runId ? 'STALE' : follows(job, report);
}

/** Checks that an event is the next one of its run. */
export function follows(job: Job, report: Report): Refusal | null {
  if (report.ordinal <= job.lastOrdinal) return 'STALE';
  return report.ordinal === job.lastOrdinal + 1 ? null : 'GAP';
}
