import type { EventMessage } from '../contract/messages.ts';
import type { Job } from '../domain/job.ts';
import type { AttemptEnd, JobUpdate } from '../domain/job-update.ts';
import { advance } from '../domain/lifecycle.ts';
import type { LifecycleContext, Refusal } from '../domain/lifecycle-events.ts';
import type { AttemptOutcome, Failure } from '../domain/vocabulary.ts';

export type Applied =
  | { readonly ok: true; readonly update: JobUpdate }
  | { readonly ok: false; readonly refusal: Refusal };

/** What an event changes besides the state of the job. */
type Changes = Omit<JobUpdate, 'job' | 'at' | 'eventAt'>;

/**
 * What one event of a chain does to a job. Pure. Repeats, events of former attempts and of foreign runs are refused,
 * which makes replays harmless.
 *
 * @param storedAt When the stream stored the event. All times that are kept are the stream's: the clock of a worker may
 *   be wrong, and jumps.
 */
export function applyEvent(
  job: Job,
  event: EventMessage,
  storedAt: Date,
  context: LifecycleContext,
): Applied {
  const moved = advance(job, event, context);
  if (!moved.ok) return moved;
  const changes = changesOf(job, moved.job, event, storedAt);
  return { ok: true, update: { job: moved.job, at: context.now, eventAt: storedAt, ...changes } };
}

function changesOf(before: Job, after: Job, event: EventMessage, storedAt: Date): Changes {
  // A failure or a cancel that opens an attempt ends no run but the one before it, which was lost.
  const opensAttempt = event.attempt > before.attempt;
  switch (event.type) {
    case 'started':
      return started(before, after, event, storedAt);
    case 'audio':
      return { audio: event };
    case 'segments':
      return { segments: event.segments };
    case 'opaque':
      return {};
    case 'completed':
      return {
        ...ended(event, storedAt, 'COMPLETED', null, event),
        languageConfidence: event.languageConfidence,
        computeMs: event.computeMs,
        billedMs: event.durationMs,
      };
    case 'failed':
      return opensAttempt
        ? lostBefore(before, storedAt)
        : ended(event, storedAt, 'FAILED', event.failure, event);
    case 'canceled':
      return opensAttempt ? lostBefore(before, storedAt) : ended(event, storedAt, 'CANCELED');
    case 'released':
      return ended(event, storedAt, 'RELEASED');
    case 'lost':
      return ended(event, storedAt, 'LOST');
  }
}

function started(
  before: Job,
  after: Job,
  event: Extract<EventMessage, { type: 'started' }>,
  startedAt: Date,
): Changes {
  const { attempt: number, engine, model, workerId, runId } = event;
  return {
    attemptStarted: { number, engine, model, workerId, runId, startedAt },
    ...lostBefore(before, startedAt),
    workerId,
    ...(after.checkpoint.generation === before.checkpoint.generation
      ? {}
      : { dropSegmentsFrom: after.checkpoint.segmentCount }),
  };
}

/** A run without an end was lost when an event after it opens another attempt. */
function lostBefore(before: Job, finishedAt: Date): Pick<Changes, 'attemptEnded'> {
  if (before.status !== 'PROCESSING') return {};
  const { attempt: number } = before;
  return {
    attemptEnded: [{ number, outcome: 'LOST', failure: null, finishedAt, requestId: null }],
  };
}

function ended(
  { attempt: number }: EventMessage,
  finishedAt: Date,
  outcome: AttemptOutcome,
  failure: Failure | null = null,
  trace: { readonly requestId?: string | null; readonly model?: string } = {},
): Changes {
  const { requestId = null, model } = trace;
  const end: AttemptEnd = { number, outcome, failure, finishedAt, requestId };
  return { attemptEnded: [model === undefined ? end : { ...end, model }] };
}

/** What it does to a job that one of its events cannot be read or applied. */
export function breakOff(job: Job, failure: Failure, storedAt: Date, context: LifecycleContext): Applied {
  const moved = advance(job, { type: 'chainBroken', failure }, context);
  if (!moved.ok) return moved;
  const ends = job.status === 'PROCESSING';
  const end: AttemptEnd = {
    ...{ number: job.attempt, outcome: 'FAILED', failure },
    ...{ finishedAt: storedAt, requestId: null },
  };
  return {
    ok: true,
    update: { job: moved.job, at: context.now, eventAt: storedAt, ...(ends ? { attemptEnded: [end] } : {}) },
  };
}
