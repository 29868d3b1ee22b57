import { type EventMessage, endsRun, type TaskMessage } from '../../src/contract/messages.ts';
import type { Checkpoint } from '../../src/domain/transcript.ts';

export interface LastEvent {
  /** Null when this version cannot read it. */
  readonly event: EventMessage | null;
  readonly sequence: number;
}

export interface Situation {
  readonly task: Pick<TaskMessage, 'attempt' | 'resume' | 'limits'>;
  readonly deliveredCount: number;
  /** The end of the job's chain of events. */
  readonly last: LastEvent | null;
  readonly cancelRequested: boolean;
  /** Whether the run that the chain ends in, if it has not ended, was heard of in the last seconds. */
  readonly otherRun: 'unknown' | 'alive' | 'silent';
}

/** Where a new run stands in its job. */
export interface RunPlan {
  readonly attempt: number;
  readonly lostRuns: number;
  readonly checkpoint: Checkpoint;
  /** What the first event must expect. */
  readonly expectedSequence: number;
}

export type Decision =
  /** The task is of no use any more: acknowledge it. */
  | { readonly action: 'forget'; readonly reason: string }
  /** Somebody else has the job: neither acknowledge nor give back. */
  | { readonly action: 'leave'; readonly reason: string }
  /** The chain ends in a run that never ended; listen for it, then decide again. */
  | { readonly action: 'lookForLife' }
  | { readonly action: 'run' | 'cancel' | 'giveUp'; readonly plan: RunPlan };

/** What to do with a task, from what is stored about its job. */
export function decideAttempt(situation: Situation): Decision {
  const { task, last } = situation;
  if (last === null) {
    return begin(situation, {
      attempt: task.attempt,
      lostRuns: 0,
      checkpoint: task.resume,
      expectedSequence: 0,
    });
  }
  const { event } = last;
  // The server ends such a job, since it alone knows the attempt and the checkpoint.
  if (event === null) return { action: 'leave', reason: 'its last event cannot be read' };
  const plan = {
    attempt: Math.max(task.attempt, event.attempt + 1),
    checkpoint: newerOf(task.resume, event),
    expectedSequence: last.sequence,
  };
  if (endsRun(event)) {
    const reason = whyFinished(event, situation);
    if (reason !== null) return { action: 'forget', reason };
    return begin(situation, { ...plan, lostRuns: lostSoFar(event, situation) });
  }
  switch (situation.otherRun) {
    case 'unknown':
      return { action: 'lookForLife' };
    case 'alive':
      // A second delivery may be the only copy left of the task that the other run holds.
      return situation.deliveredCount === 1
        ? { action: 'forget', reason: 'another worker runs this job' }
        : { action: 'leave', reason: 'another worker runs this job' };
    case 'silent':
      return begin(situation, { ...plan, lostRuns: event.lostRuns + 1 });
  }
}

function begin(situation: Situation, plan: RunPlan): Decision {
  if (situation.cancelRequested) return { action: 'cancel', plan };
  if (plan.lostRuns >= situation.task.limits.maxLostRuns) return { action: 'giveUp', plan };
  return { action: 'run', plan };
}

/** Null when a run may follow on this event. */
function whyFinished(event: EventMessage, { task }: Situation): string | null {
  if (event.type === 'completed' || event.type === 'canceled') return `the job is ${event.type}`;
  if (event.attempt < task.attempt) return null;
  if (event.type === 'failed') return `attempt ${event.attempt} failed; the server decides about the next`;
  const poison = event.type === 'lost' && event.lostRuns >= task.limits.maxLostRuns;
  return poison ? 'the server gave the job up' : null;
}

/** A job that failed for good and was ordered again was retried by hand, with a fresh allowance. */
function lostSoFar(event: EventMessage, { task }: Situation): number {
  const freshStart =
    (event.type === 'failed' && !event.failure.retryable) || event.lostRuns >= task.limits.maxLostRuns;
  return freshStart ? 0 : event.lostRuns;
}

function newerOf(ordered: Checkpoint, stored: Checkpoint): Checkpoint {
  const { generation, segmentCount, checkpointMs, language } = stored;
  const ahead =
    generation === ordered.generation &&
    (segmentCount > ordered.segmentCount ||
      (segmentCount === ordered.segmentCount && checkpointMs > ordered.checkpointMs));
  return ahead ? { generation, segmentCount, checkpointMs, language: language ?? ordered.language } : ordered;
}
