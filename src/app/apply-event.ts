import type { EventMessage } from '../contract/messages.ts';
import type { Job } from '../domain/job.ts';
import { cancelAttempt, failAttempt, loseAttempt, releaseAttempt } from '../domain/job-endings.ts';
import {
  buildsOnMissing,
  completeAttempt,
  continueAttempt,
  startAttempt,
} from '../domain/job-transitions.ts';
import type { AttemptEnd, JobUpdate } from '../domain/job-update.ts';
import type { RetryPolicy } from '../domain/retry-policy.ts';
import type { Checkpoint } from '../domain/transcript.ts';
import type { Refusal, Transition } from '../domain/transition.ts';
import type { AttemptOutcome, Failure } from '../domain/vocabulary.ts';

export type Applied =
  | { readonly ok: true; readonly update: JobUpdate }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * What one event does to a job. Pure: the same job and event give the same update, but for the jitter.
 * Duplicates, events of former attempts and of foreign runs are refused; that makes replays harmless.
 */
export function applyEvent(
  job: Job,
  event: EventMessage,
  policy: RetryPolicy,
  now: Date,
  random: number,
): Applied {
  const at = new Date(event.at);
  const checkpoint: Checkpoint = {
    generation: event.generation,
    segmentCount: event.segmentCount,
    checkpointMs: event.checkpointMs,
    language: event.language,
  };
  if (buildsOnMissing(job, event.attempt, checkpoint)) return { ok: false, refusal: 'GAP' };
  switch (event.type) {
    case 'started':
      return whenAccepted(startAttempt(job, event, checkpoint), (next) => ({
        ...started(job, next, event, at),
      }));
    case 'audio':
      return whenAccepted(continueAttempt(job, event, checkpoint), () => ({ audio: event }));
    case 'segments':
      return segmentsAdded(job, event, checkpoint);
    case 'completed':
      return whenAccepted(completeAttempt(job, event, checkpoint, now), () => ({
        ...ended(event, 'COMPLETED', null, at, event),
        languageConfidence: event.languageConfidence,
        computeMs: event.computeMs,
        billedMs: event.durationMs,
      }));
    case 'failed':
      return whenAccepted(failAttempt(job, event, event.failure, policy, now, random), () =>
        event.attempt > job.attempt ? lostBefore(job, at) : ended(event, 'FAILED', event.failure, at, event),
      );
    case 'canceled':
      return whenAccepted(cancelAttempt(job, event, now), () =>
        event.attempt > job.attempt ? lostBefore(job, at) : ended(event, 'CANCELED', null, at),
      );
    case 'opaque':
      // Nothing of it is understood, but it has a place in the run, and the next event follows on it.
      return whenAccepted(continueAttempt(job, event, checkpoint), () => ({}));
    case 'released':
      return whenAccepted(releaseAttempt(job, event), () => ended(event, 'RELEASED', null, at));
    case 'lost':
      return whenAccepted(loseAttempt(job, event, policy, now), () => ended(event, 'LOST', null, at));
  }

  function whenAccepted<Next extends Job>(
    transition: Transition<Next>,
    rest: (next: Next) => Omit<JobUpdate, 'job' | 'at'>,
  ): Applied {
    if (!transition.ok) return transition;
    return { ok: true, update: { job: transition.job, at: now, eventAt: at, ...rest(transition.job) } };
  }

  function segmentsAdded(
    before: Job,
    segmentsEvent: Extract<EventMessage, { type: 'segments' }>,
    after: Checkpoint,
  ): Applied {
    const first = segmentsEvent.segments[0];
    if (first !== undefined && first.index !== before.checkpoint.segmentCount) {
      // A gap can't be mended from here; a repeat is refused by its ordinal before it gets this far.
      const transition = continueAttempt(before, segmentsEvent, after);
      return transition.ok ? { ok: false, refusal: 'GAP' } : transition;
    }
    return whenAccepted(continueAttempt(before, segmentsEvent, after), () => ({
      segments: segmentsEvent.segments,
    }));
  }
}

function started(
  before: Job,
  next: Job,
  event: Extract<EventMessage, { type: 'started' }>,
  at: Date,
): Omit<JobUpdate, 'job' | 'at'> {
  return {
    attemptStarted: {
      number: event.attempt,
      engine: event.engine,
      model: event.model,
      workerId: event.workerId,
      runId: event.runId,
      startedAt: at,
    },
    ...lostBefore(before, at),
    workerId: event.workerId,
    ...(next.checkpoint.generation === before.checkpoint.generation
      ? {}
      : { dropSegmentsFrom: next.checkpoint.segmentCount }),
  };
}

/** A run that never ended before another event says that it is over. */
function lostBefore(before: Job, at: Date): Pick<JobUpdate, 'attemptEnded'> {
  if (before.status !== 'PROCESSING') return {};
  return {
    attemptEnded: [
      { number: before.attempt, outcome: 'LOST', failure: null, finishedAt: at, requestId: null },
    ],
  };
}

function ended(
  event: EventMessage,
  outcome: AttemptOutcome,
  failure: Failure | null,
  finishedAt: Date,
  trace: { readonly requestId?: string | null; readonly model?: string } = {},
): Omit<JobUpdate, 'job' | 'at'> {
  const end: AttemptEnd = {
    number: event.attempt,
    outcome,
    failure,
    finishedAt,
    requestId: trace.requestId ?? null,
    ...(trace.model === undefined ? {} : { model: trace.model }),
  };
  return { attemptEnded: [end] };
}
