import type { Environment } from './environment.ts';
import type { Job } from './job.ts';
import type { RetryPolicy } from './retry-policy.ts';
import type { Checkpoint } from './transcript.ts';
import type { Failure } from './vocabulary.ts';

/** What can happen to a job. */
export type LifecycleEvent = ChainEvent | ServerEvent;

/** An event on the job's chain: which run published it, its place in the run, and the checkpoint after it. */
export type ChainEvent = ChainFields &
  (
    | { readonly [Type in PlainType]: { readonly type: Type } }[PlainType]
    | { readonly type: 'segments'; readonly segments: readonly { readonly index: number }[] }
    | { readonly type: 'failed'; readonly failure: Failure }
  );

type PlainType = 'started' | 'audio' | 'opaque' | 'completed' | 'canceled' | 'released' | 'lost';

interface ChainFields extends Checkpoint {
  readonly attempt: number;
  readonly runId: string;
  readonly ordinal: number;
}

/** What the server, or a user by it, does to a job without its chain. */
export type ServerEvent =
  /** The time of a scheduled job or of the next attempt has come. */
  | { readonly type: 'due' }
  /** Admission chose it: a task is going to be published. */
  | { readonly type: 'admitted' }
  /** The task is stored in TASKS. */
  | { readonly type: 'taskRecorded'; readonly publication: number; readonly sequence: number }
  /** Its task is missing: another one is going to be published. */
  | { readonly type: 'readmitted' }
  /** Its queue was paused: the task is deleted. */
  | { readonly type: 'withdrawn' }
  /** No worker can run its engine at present. */
  | { readonly type: 'engineAbsent' }
  | { readonly type: 'cancelRequested' }
  | { readonly type: 'deadlinePassed' }
  /** `atLeastAttempt`: the last attempt on the chain, where the row did not follow it. */
  | { readonly type: 'retried'; readonly startOver: boolean; readonly atLeastAttempt?: number }
  /** A dead letter was taken off the list. */
  | { readonly type: 'discarded' }
  /** Its chain has an event that cannot be read or stored, or lacks one. */
  | { readonly type: 'chainBroken'; readonly failure: Failure };

/** What a transition depends on besides the job and the event. */
export interface LifecycleContext {
  readonly now: Date;
  /** From 0 (included) to 1 (excluded). */
  readonly random: number;
  readonly policy: LifecyclePolicy;
}

/** Jobs that lose this many runs fail, unless the policy says otherwise. */
export const DEFAULT_MAX_LOST_RUNS = 3;

export interface LifecyclePolicy extends RetryPolicy {
  /** A job that lost this many runs is not tried again. */
  readonly maxLostRuns: number;
  /** How long a final job is kept. */
  readonly retentionMs: number;
}

export interface LifecyclePorts {
  readonly environment: Environment;
  readonly lifecycle: LifecyclePolicy;
}

export function contextOf({ environment, lifecycle }: LifecyclePorts): LifecycleContext {
  return { now: environment.now(), random: environment.random(), policy: lifecycle };
}

export type Transition =
  | { readonly ok: true; readonly job: Job }
  | { readonly ok: false; readonly refusal: Refusal };

/** Why an event does not count. A projector passes over it, except for a gap. */
export type Refusal =
  /** The job is final. */
  | 'JOB_FINAL'
  /** An event of an attempt that is over, or one that was applied before. */
  | 'STALE'
  /** An event of the current attempt by another run. */
  | 'NOT_THE_RUN'
  /** Events are missing in between. */
  | 'GAP'
  /** The status or the time does not allow it. */
  | 'NOT_NOW'
  /** A worker may have the job's task: only an event on the chain may end it. */
  | 'ON_CHAIN';
