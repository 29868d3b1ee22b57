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
 */
export function applyEvent(job: Job, event: EventMessage, context: LifecycleContext): Applied {
  const moved = advance(job, event, context);
  if (!moved.ok) return moved;
  const changes = changesOf(job, moved.job, event);
  return {
    ok: true,
    update: { job: moved.job, at: context.now, eventAt: new Date(event.at), ...changes },
  };
}

function changesOf(before: Job, after: Job, event: EventMessage): Changes {
  // A failure or a cancel that opens an attempt ends no run but the one before it, which was lost.
  const opensAttempt = event.attempt > before.attempt;
  switch (event.type) {
    case 'started':
      return started(before, after, event);
    case 'audio':
      return { audio: event };
    case 'segments':
      return { segments: event.segments };
    case 'opaque':
      return {};
    case 'completed':
      return {
        ...ended(event, 'COMPLETED', null, event),
        languageConfidence: event.languageConfidence,
        computeMs: event.computeMs,
        billedMs: event.durationMs,
      };
    case 'failed':
      return opensAttempt ? lostBefore(before, event) : ended(event, 'FAILED', event.failure, event);
    case 'canceled':
      return opensAttempt ? lostBefore(before, event) : ended(event, 'CANCELED');
    case 'released':
      return ended(event, 'RELEASED');
    case 'lost':
      return ended(event, 'LOST');
  }
}

function started(before: Job, after: Job, event: Extract<EventMessage, { type: 'started' }>): Changes {
  const { attempt: number, engine, model, workerId, runId } = event;
  return {
    attemptStarted: { number, engine, model, workerId, runId, startedAt: new Date(event.at) },
    ...lostBefore(before, event),
    workerId,
    ...(after.checkpoint.generation === before.checkpoint.generation
      ? {}
      : { dropSegmentsFrom: after.checkpoint.segmentCount }),
  };
}

/** A run without an end was lost when an event after it opens another attempt. */
function lostBefore(before: Job, { at }: EventMessage): Pick<Changes, 'attemptEnded'> {
  if (before.status !== 'PROCESSING') return {};
  const { attempt: number } = before;
  return {
    attemptEnded: [{ number, outcome: 'LOST', failure: null, finishedAt: new Date(at), requestId: null }],
  };
}

function ended(
  { attempt: number, at }: EventMessage,
  outcome: AttemptOutcome,
  failure: Failure | null = null,
  trace: { readonly requestId?: string | null; readonly model?: string } = {},
): Changes {
  const { requestId = null, model } = trace;
  const end: AttemptEnd = { number, outcome, failure, finishedAt: new Date(at), requestId };
  return { attemptEnded: [model === undefined ? end : { ...end, model }] };
}
