import type { FactMessage } from '../contract/messages.ts';
import type { Job } from '../domain/job.ts';
import { cancelAttempt, failAttempt, loseAttempt, releaseAttempt } from '../domain/job-endings.ts';
import {
  buildsOnMissing,
  completeAttempt,
  continueAttempt,
  startAttempt,
} from '../domain/job-transitions.ts';
import type { RetryPolicy } from '../domain/retry-policy.ts';
import type { Checkpoint } from '../domain/transcript.ts';
import type { Refusal, Transition } from '../domain/transition.ts';
import type { AttemptOutcome, Failure } from '../domain/vocabulary.ts';
import type { AttemptEnd, JobUpdate } from './ports.ts';

export type Applied =
  | { readonly ok: true; readonly update: JobUpdate }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * What one fact does to a job. Pure: the same job and fact give the same update, but for the jitter.
 * Duplicates, facts of former attempts and of foreign runs are refused; that makes replays harmless.
 */
export function applyFact(
  job: Job,
  fact: FactMessage,
  policy: RetryPolicy,
  now: Date,
  random: number,
): Applied {
  const at = new Date(fact.at);
  const checkpoint: Checkpoint = {
    generation: fact.generation,
    segmentCount: fact.segmentCount,
    checkpointMs: fact.checkpointMs,
    language: fact.language,
  };
  if (buildsOnMissing(job, fact.attempt, checkpoint)) return { ok: false, refusal: 'GAP' };
  switch (fact.type) {
    case 'started':
      return whenAccepted(startAttempt(job, fact, checkpoint), (next) => ({
        ...started(job, next, fact, at),
      }));
    case 'audio':
      return whenAccepted(continueAttempt(job, fact, checkpoint), () => ({ audio: fact }));
    case 'segments':
      return segmentsAdded(job, fact, checkpoint);
    case 'completed':
      return whenAccepted(completeAttempt(job, fact, checkpoint, now), () => ({
        ...ended(fact, 'COMPLETED', null, at, fact),
        languageConfidence: fact.languageConfidence,
        computeMs: fact.computeMs,
        billedMs: fact.durationMs,
      }));
    case 'failed':
      return whenAccepted(failAttempt(job, fact, fact.failure, policy, now, random), () =>
        fact.attempt > job.attempt ? lostBefore(job, at) : ended(fact, 'FAILED', fact.failure, at, fact),
      );
    case 'canceled':
      return whenAccepted(cancelAttempt(job, fact, now), () =>
        fact.attempt > job.attempt ? lostBefore(job, at) : ended(fact, 'CANCELED', null, at),
      );
    case 'released':
      return whenAccepted(releaseAttempt(job, fact), () => ended(fact, 'RELEASED', null, at));
    case 'lost':
      return whenAccepted(loseAttempt(job, fact, policy, now), () => ended(fact, 'LOST', null, at));
  }

  function whenAccepted<Next extends Job>(
    transition: Transition<Next>,
    rest: (next: Next) => Omit<JobUpdate, 'job' | 'at'>,
  ): Applied {
    if (!transition.ok) return transition;
    return { ok: true, update: { job: transition.job, at: now, factAt: at, ...rest(transition.job) } };
  }

  function segmentsAdded(
    before: Job,
    segmentsFact: Extract<FactMessage, { type: 'segments' }>,
    after: Checkpoint,
  ): Applied {
    const first = segmentsFact.segments[0];
    if (first !== undefined && first.index !== before.checkpoint.segmentCount) {
      // A gap can't be mended from here; a repeat is refused by its ordinal before it gets this far.
      const transition = continueAttempt(before, segmentsFact, after);
      return transition.ok ? { ok: false, refusal: 'GAP' } : transition;
    }
    return whenAccepted(continueAttempt(before, segmentsFact, after), () => ({
      segments: segmentsFact.segments,
    }));
  }
}

function started(
  before: Job,
  next: Job,
  fact: Extract<FactMessage, { type: 'started' }>,
  at: Date,
): Omit<JobUpdate, 'job' | 'at'> {
  return {
    attemptStarted: {
      number: fact.attempt,
      engine: fact.engine,
      model: fact.model,
      workerId: fact.workerId,
      instance: fact.instance,
      startedAt: at,
    },
    ...lostBefore(before, at),
    workerId: fact.workerId,
    ...(next.checkpoint.generation === before.checkpoint.generation
      ? {}
      : { dropSegmentsFrom: next.checkpoint.segmentCount }),
  };
}

/** A run that never ended before another fact says that it is over. */
function lostBefore(before: Job, at: Date): Pick<JobUpdate, 'attemptEnded'> {
  if (before.status !== 'PROCESSING') return {};
  return {
    attemptEnded: [
      { number: before.attempt, outcome: 'LOST', failure: null, finishedAt: at, requestId: null },
    ],
  };
}

function ended(
  fact: FactMessage,
  outcome: AttemptOutcome,
  failure: Failure | null,
  finishedAt: Date,
  trace: { readonly requestId?: string | null; readonly model?: string } = {},
): Omit<JobUpdate, 'job' | 'at'> {
  const end: AttemptEnd = {
    number: fact.attempt,
    outcome,
    failure,
    finishedAt,
    requestId: trace.requestId ?? null,
    ...(trace.model === undefined ? {} : { model: trace.model }),
  };
  return { attemptEnded: [end] };
}
