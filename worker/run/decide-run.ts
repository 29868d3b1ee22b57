import { type EventMessage, endsRun, type TaskMessage } from '../../src/contract/messages.ts';
import type { Checkpoint } from '../../src/domain/transcript.ts';

interface LastEvent {
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
  /** Whether the unfinished run at the end of the chain showed activity; null before that was checked. */
  readonly isOtherRunActive: boolean | null;
}

/** Where a new run begins. */
export interface RunPlan {
  readonly attempt: number;
  readonly lostRuns: number;
  readonly checkpoint: Checkpoint;
  /** What the first event must expect. */
  readonly expectedSequence: number;
}

export type Decision =
  /** The task is void: acknowledge it. */
  | { readonly action: 'drop'; readonly reason: string }
  /** Neither acknowledge the task nor give it back: it is delivered again, here or elsewhere. */
  | { readonly action: 'leave'; readonly reason: string }
  /** The chain ends in a run that has not ended: check its activity, then decide again. */
  | { readonly action: 'checkActivity' }
  /** `cancel` and `fail` end the job without transcribing. */
  | { readonly action: 'run' | 'cancel' | 'fail'; readonly plan: RunPlan };

/** What to do with a task, given what is stored about its job. */
export function decideRun(situation: Situation): Decision {
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
  // The server ends such a job: neither its attempt nor its checkpoint is known here.
  if (event === null) return { action: 'leave', reason: 'its last event cannot be read' };
  const plan = {
    attempt: Math.max(task.attempt, event.attempt + 1),
    checkpoint: newerOf(task.resume, event),
    expectedSequence: last.sequence,
  };
  if (endsRun(event)) {
    const reason = whyVoid(event, situation);
    if (reason !== null) return { action: 'drop', reason };
    return begin(situation, { ...plan, lostRuns: lostSoFar(event, situation) });
  }
  if (situation.isOtherRunActive === null) return { action: 'checkActivity' };
  if (situation.isOtherRunActive) {
    // A second delivery may be the only copy of the task that the other run holds.
    const action = situation.deliveredCount === 1 ? 'drop' : 'leave';
    return { action, reason: 'another worker runs this job' };
  }
  return begin(situation, { ...plan, lostRuns: event.lostRuns + 1 });
}

function begin(situation: Situation, plan: RunPlan): Decision {
  if (situation.cancelRequested) return { action: 'cancel', plan };
  if (plan.lostRuns >= situation.task.limits.maxLostRuns) return { action: 'fail', plan };
  return { action: 'run', plan };
}

/** Null when a run may follow on this event. */
function whyVoid(event: EventMessage, { task }: Situation): string | null {
  if (event.type === 'completed' || event.type === 'canceled') return `the job is ${event.type}`;
  if (event.attempt < task.attempt) return null;
  if (event.type === 'failed') return `attempt ${event.attempt} failed; the server decides about the next`;
  const isPoison = event.type === 'lost' && event.lostRuns >= task.limits.maxLostRuns;
  return isPoison ? 'the job lost too many runs' : null;
}

/** A job that failed for good and has a task again was retried by hand, with a new allowance. */
function lostSoFar(event: EventMessage, { task }: Situation): number {
  const isFinal =
    (event.type === 'failed' && !event.failure.retryable) || event.lostRuns >= task.limits.maxLostRuns;
  return isFinal ? 0 : event.lostRuns;
}

function newerOf(fromTask: Checkpoint, fromChain: Checkpoint): Checkpoint {
  const { generation, segmentCount, checkpointMs, language } = fromChain;
  const isAhead =
    generation === fromTask.generation &&
    (segmentCount > fromTask.segmentCount ||
      (segmentCount === fromTask.segmentCount && checkpointMs > fromTask.checkpointMs));
  return isAhead
    ? { generation, segmentCount, checkpointMs, language: language ?? fromTask.language }
    : fromTask;
}
