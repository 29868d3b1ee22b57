import { endsAttempt, type FactMessage, type Order } from '../../src/contract/messages.ts';
import type { Checkpoint } from '../../src/domain/transcript.ts';

export interface LastFact {
  readonly fact: FactMessage;
  readonly sequence: number;
}

export interface Situation {
  readonly order: Pick<Order, 'attempt' | 'resume' | 'limits'>;
  readonly deliveredCount: number;
  /** The end of the job's chain of facts. */
  readonly last: LastFact | null;
  readonly cancelRequested: boolean;
  /** Whether the run that the chain ends in, if it has not ended, was heard of in the last seconds. */
  readonly otherRun: 'unknown' | 'alive' | 'silent';
}

/** Where a new run stands in its job. */
export interface RunPlan {
  readonly attempt: number;
  readonly lostAttempts: number;
  readonly checkpoint: Checkpoint;
  /** What the first fact must expect. */
  readonly expectedSequence: number;
}

export type Decision =
  /** The order is of no use any more: acknowledge it. */
  | { readonly action: 'forget'; readonly reason: string }
  /** Somebody else has the job: neither acknowledge nor give back. */
  | { readonly action: 'leave'; readonly reason: string }
  /** The chain ends in a run that never ended; listen for it, then decide again. */
  | { readonly action: 'lookForLife' }
  | { readonly action: 'run' | 'cancel' | 'giveUp'; readonly plan: RunPlan };

/** What to do with an order, from what is stored about its job. */
export function decideAttempt(situation: Situation): Decision {
  const { order, last } = situation;
  if (last === null) {
    return begin(situation, {
      attempt: order.attempt,
      lostAttempts: 0,
      checkpoint: order.resume,
      expectedSequence: 0,
    });
  }
  const { fact } = last;
  const plan = {
    attempt: Math.max(order.attempt, fact.attempt + 1),
    checkpoint: newerOf(order.resume, fact),
    expectedSequence: last.sequence,
  };
  if (endsAttempt(fact)) {
    const reason = whyFinished(fact, situation);
    if (reason !== null) return { action: 'forget', reason };
    return begin(situation, { ...plan, lostAttempts: lostSoFar(fact, situation) });
  }
  switch (situation.otherRun) {
    case 'unknown':
      return { action: 'lookForLife' };
    case 'alive':
      // A second delivery may be the only copy left of the order that the other run holds.
      return situation.deliveredCount === 1
        ? { action: 'forget', reason: 'another worker runs this job' }
        : { action: 'leave', reason: 'another worker runs this job' };
    case 'silent':
      return begin(situation, { ...plan, lostAttempts: fact.lostAttempts + 1 });
  }
}

function begin(situation: Situation, plan: RunPlan): Decision {
  if (situation.cancelRequested) return { action: 'cancel', plan };
  if (plan.lostAttempts >= situation.order.limits.maxLostAttempts) return { action: 'giveUp', plan };
  return { action: 'run', plan };
}

/** Null when a run may follow on this fact. */
function whyFinished(fact: FactMessage, { order }: Situation): string | null {
  if (fact.type === 'completed' || fact.type === 'canceled') return `the job is ${fact.type}`;
  if (fact.attempt < order.attempt) return null;
  if (fact.type === 'failed') return `attempt ${fact.attempt} failed; the server decides about the next`;
  const poison = fact.type === 'lost' && fact.lostAttempts >= order.limits.maxLostAttempts;
  return poison ? 'the server gave the job up' : null;
}

/** A job that failed for good and was ordered again was retried by hand, with a fresh allowance. */
function lostSoFar(fact: FactMessage, { order }: Situation): number {
  const freshStart =
    (fact.type === 'failed' && !fact.failure.retryable) || fact.lostAttempts >= order.limits.maxLostAttempts;
  return freshStart ? 0 : fact.lostAttempts;
}

function newerOf(ordered: Checkpoint, stored: Checkpoint): Checkpoint {
  const { generation, segmentCount, checkpointMs, language } = stored;
  const ahead =
    generation === ordered.generation &&
    (segmentCount > ordered.segmentCount ||
      (segmentCount === ordered.segmentCount && checkpointMs > ordered.checkpointMs));
  return ahead ? { generation, segmentCount, checkpointMs, language: language ?? ordered.language } : ordered;
}
