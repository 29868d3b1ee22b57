/**
 * The words of the product, as types. One word per thing in code, SQL, GraphQL,
 * subjects and logs; the glossary is in docs/architecture.md.
 */

/** See docs/architecture.md for the arrows; `PROCESSING` never includes waiting. */
export const JOB_STATUSES = [
  'SCHEDULED',
  'QUEUED',
  'PROCESSING',
  'RETRYING',
  'COMPLETED',
  'FAILED',
  'CANCELED',
] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** Final statuses: they never change, except that a FAILED job may be retried by hand. */
export const FINAL_STATUSES = ['COMPLETED', 'FAILED', 'CANCELED'] as const satisfies readonly JobStatus[];
export type FinalStatus = (typeof FINAL_STATUSES)[number];

export function isFinal(status: JobStatus): status is FinalStatus {
  return (FINAL_STATUSES as readonly JobStatus[]).includes(status);
}

export const JOB_STAGES = ['FETCHING', 'DECODING', 'TRANSCRIBING', 'FINALIZING'] as const;
export type JobStage = (typeof JOB_STAGES)[number];

/** An engine is also a queue and a family of lanes; subjects and queue names use it in lower case. */
export const ENGINES = ['WHISPER', 'DEEPGRAM'] as const;
export type Engine = (typeof ENGINES)[number];

/** From the least to the most urgent. */
export const JOB_PRIORITIES = ['LOW', 'NORMAL', 'HIGH', 'CRITICAL'] as const;
export type JobPriority = (typeof JOB_PRIORITIES)[number];

export const TIMESTAMP_GRANULARITIES = ['NONE', 'SEGMENT', 'WORD'] as const;
export type TimestampGranularity = (typeof TIMESTAMP_GRANULARITIES)[number];

/** RELEASED: returned by a worker that shut down; not counted. LOST: the worker disappeared. */
export const ATTEMPT_OUTCOMES = ['COMPLETED', 'FAILED', 'CANCELED', 'RELEASED', 'LOST'] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

export const FAILURE_KINDS = [
  'FETCH',
  'AUDIO',
  'NO_SPEECH',
  'UNSUPPORTED',
  'TIMEOUT',
  'RATE_LIMITED',
  'ENGINE_UNAVAILABLE',
  'ENGINE_REJECTED',
  'WORKER_LOST',
  'OUT_OF_MEMORY',
  'INTERNAL',
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

/** Why an attempt or a job failed. The user sees all but `detail`, which is for operators. */
export interface Failure {
  readonly kind: FailureKind;
  /** Stable code, `NOUN_PROBLEM`, never renamed; the list is in docs/failures.md. */
  readonly code: string;
  /** English sentence that names the cause and the remedy; no secrets, no paths. */
  readonly message: string;
  readonly retryable: boolean;
  /** The shortest wait before the next attempt, from a `Retry-After` of the engine or host. */
  readonly retryAfterMs?: number | undefined;
  /** For operators: exit codes, stderr tails, HTTP bodies. At most 4 KiB. */
  readonly detail?: string | undefined;
}

/** A name of a queue: the engine in lower case. */
export type QueueName = Lowercase<Engine>;

export function queueOf(engine: Engine): QueueName {
  return engine.toLowerCase() as QueueName;
}

export function engineOf(queue: QueueName): Engine {
  return queue.toUpperCase() as Engine;
}
