import type { EventMessage } from '../contract/messages.ts';
import type { Job } from '../domain/job.ts';
import type { Segment } from '../domain/transcript.ts';
import type {
  AttemptOutcome,
  Engine,
  Failure,
  JobPriority,
  QueueName,
  TranscriptionOptions,
} from '../domain/vocabulary.ts';
import type {
  AttemptView,
  FailureGroupView,
  JobFilter,
  JobListQuery,
  JobView,
  ModelView,
  Page,
  QueuePosition,
  QueueStatsView,
  QueueView,
} from './application.ts';

/** The clock, randomness and ids, so that tests can hold them still. */
export interface Environment {
  now(): Date;
  /** From 0 (included) to 1 (excluded). */
  random(): number;
  uuid(): string;
}

/** What happened to a job, as one change of its row and what hangs on it; applied whole or not at all. */
export interface JobUpdate {
  readonly job: Job;
  readonly at: Date;
  readonly attemptStarted?: AttemptStart;
  readonly attemptEnded?: readonly AttemptEnd[];
  readonly segments?: readonly Segment[];
  /** Segments from this index on belong to a former generation and go away first. */
  readonly dropSegmentsFrom?: number;
  readonly audio?: AudioInfo;
  readonly workerId?: string;
  readonly languageConfidence?: number | null;
  readonly billedMs?: number;
  readonly computeMs?: number;
  /** The last event's time, for finding silent runs. */
  readonly eventAt?: Date;
}

export interface AttemptStart {
  readonly number: number;
  readonly engine: Engine;
  readonly model: string;
  readonly workerId: string;
  readonly runId: string;
  readonly startedAt: Date;
}

export interface AttemptEnd {
  readonly number: number;
  readonly outcome: AttemptOutcome;
  readonly failure: Failure | null;
  readonly finishedAt: Date;
  readonly requestId: string | null;
  /** The model that ran, once the engine said it. */
  readonly model?: string;
}

export interface AudioInfo {
  readonly durationMs: number | null;
  readonly codec: string | null;
  readonly sampleRate: number | null;
  readonly channels: number | null;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
}

/** A job to insert. */
export interface NewJob {
  readonly id: string;
  readonly tenantId: string;
  readonly externalId: string | null;
  readonly engines: readonly Engine[];
  readonly priority: JobPriority;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly source: { readonly url: string } | { readonly uploadId: string };
  readonly audio: {
    readonly filename: string | null;
    readonly contentType: string | null;
    readonly sizeBytes: number | null;
    readonly sha256: string | null;
  };
  readonly options: TranscriptionOptions;
  readonly submittedAt: Date;
  readonly scheduledFor: Date | null;
  readonly deadline: Date | null;
  readonly maxAttempts: number;
}

/** A stored job with what the use cases need besides its lifecycle. */
export interface StoredJob {
  readonly job: Job;
  readonly tenantId: string;
  readonly priority: JobPriority;
  readonly queue: QueueName;
  readonly taskSequence: number | null;
  readonly uploadId: string | null;
  readonly cancelReason: string | null;
}

/** A task to be published: what admission chose, with all that the task needs. */
export interface AdmittedJob {
  readonly id: string;
  readonly queue: QueueName;
  readonly priority: JobPriority;
  readonly attempt: number;
  readonly publication: number;
  readonly source: { readonly url: string } | { readonly uploadId: string };
  readonly audio: NewJob['audio'] & {
    /** As an earlier attempt measured it; null before the first. */
    readonly durationMs: number | null;
  };
  readonly options: TranscriptionOptions;
  readonly resume: Job['checkpoint'];
  readonly deadline: Date | null;
}

/** An idempotency key as a call came with it. */
export interface UsedKey {
  readonly tenantId: string;
  readonly operation: string;
  readonly key: string;
  /** Of the whole input: the same key with another input is refused. */
  readonly inputHash: string;
  readonly now: Date;
}

/** The result of claiming an idempotency key. */
export type KeyClaim =
  | { readonly claimed: true }
  | {
      readonly claimed: false;
      readonly jobId: string;
      readonly sameInput: boolean;
      readonly firstUsedAt: Date;
    };

/**
 * Jobs as the use cases write them. Everything inside one `transaction` commits together or not at all;
 * listeners hear of changed jobs after the commit, never before.
 *
 * @throws UnavailableError when the database can't be reached.
 */
export interface JobStore {
  transaction<Result>(work: (jobs: JobTransaction) => Promise<Result>): Promise<Result>;
  /** A transaction that inserts this job and nothing else, in one round trip. @throws as JobTransaction.insert. */
  insert(job: NewJob): Promise<void>;
  /** What an earlier call with the key led to, or null; claims nothing and waits for nobody. */
  earlierClaim(key: UsedKey): Promise<Extract<KeyClaim, { claimed: false }> | null>;
}

export interface JobTransaction {
  /** Locks the jobs until the end of the transaction; absent ids are missing in the answer. */
  lock(ids: readonly string[]): Promise<ReadonlyMap<string, StoredJob>>;
  /** @throws ValidationError when another job of the tenant has the external id. */
  insert(job: NewJob): Promise<void>;
  /** Raises the revision by one for each update. */
  apply(updates: readonly JobUpdate[]): Promise<void>;
  requestCancel(id: string, at: Date, reason: string | null): Promise<void>;
  changeForRetry(
    id: string,
    change: { readonly model: string | null; readonly priority: JobPriority | null },
  ): Promise<void>;
  delete(ids: readonly string[]): Promise<void>;
  /** Keys older than 24 h are free again. A concurrent claim of the same key waits for the first to end. */
  claimKey(key: UsedKey & { readonly jobId: string }): Promise<KeyClaim>;
  moveOffset(from: ProjectorOffset | null, to: ProjectorOffset): Promise<void>;
  quarantine(event: QuarantinedEvent): Promise<void>;
}

/** Where the projector is in EVENTS. */
export interface ProjectorOffset {
  readonly epoch: string;
  readonly sequence: number;
  readonly messageId: string | null;
}

export interface QuarantinedEvent {
  readonly epoch: string;
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly error: string;
}

/** Another projector moved the offset: this one is no longer the leader and must stop. */
export class OffsetConflictError extends Error {
  override readonly name = 'OffsetConflictError';
}

/** What the loops ask of the store, set-based and index-bound. */
export interface JobSchedule {
  /** Marks up to the free places of the queue as admitted, fairly, and returns them for publication. */
  admit(request: AdmissionRequest): Promise<readonly AdmittedJob[]>;
  recordTasks(
    tasks: readonly { readonly id: string; readonly publication: number; readonly sequence: number }[],
  ): Promise<void>;
  /** Jobs that were admitted but whose task's publication was never recorded. */
  unpublished(olderThan: Date, limit: number): Promise<readonly AdmittedJob[]>;
  /** Gives jobs that have not started back to the waiting ones; returns the sequences of their tasks. */
  withdraw(queue: QueueName): Promise<readonly number[]>;
  /**
   * Moves jobs that wait for an engine to the next one of their lists, where they have one; returns the sequences
   * of tasks that are void now.
   */
  failOver(queue: QueueName, now: Date): Promise<readonly number[]>;
  /** SCHEDULED and RETRYING jobs whose time has come become QUEUED; returns when the next is due. */
  wakeDue(now: Date): Promise<{ readonly woken: number; readonly nextDueAt: Date | null }>;
  /** Admitted jobs without an event since `silentSince`, in the order of their ids, after `afterId`. */
  silent(silentSince: Date, afterId: string, limit: number): Promise<readonly SilentJob[]>;
  /** Ids of admitted jobs, in order, after `afterId`. */
  admitted(afterId: string, limit: number): Promise<readonly string[]>;
  /** Raises `run` of an admitted job and returns its new task. */
  readmit(id: string): Promise<AdmittedJob | null>;
  /** Ids after `afterId` of jobs in the broker that are asked to stop; of one batch, those that wait come first. */
  cancelsPending(afterId: string, limit: number): Promise<readonly string[]>;
  /** Ids of jobs that wait although their deadline is over, in order, after `afterId`. */
  pastDeadline(now: Date, afterId: string, limit: number): Promise<readonly string[]>;
  expired(now: Date, limit: number): Promise<readonly string[]>;
  offset(): Promise<ProjectorOffset | null>;
}

export interface SilentJob {
  readonly id: string;
  readonly queue: QueueName;
  readonly priority: JobPriority;
  readonly status: 'QUEUED' | 'PROCESSING';
  readonly attempt: number;
  readonly taskSequence: number | null;
}

export interface AdmissionRequest {
  readonly queue: QueueName;
  /** Tasks that may wait in JetStream, not counting running jobs. */
  readonly readyTarget: number;
  readonly now: Date;
}

/** Read models, one question each; everything filtered by tenant. */
export interface JobReader {
  find(tenantId: string, ids: readonly string[]): Promise<ReadonlyMap<string, JobView>>;
  findByExternalId(tenantId: string, externalId: string): Promise<JobView | null>;
  list(tenantId: string, query: JobListQuery): Promise<Page<JobView>>;
  count(tenantId: string, filter: JobFilter, cap: number): Promise<number | null>;
  countByStatus(
    tenantId: string,
    filter: JobFilter,
  ): Promise<readonly { readonly status: JobView['status']; readonly count: number }[]>;
  ids(tenantId: string, filter: JobFilter, limit: number): Promise<readonly string[]>;
  attempts(jobIds: readonly string[]): Promise<ReadonlyMap<string, readonly AttemptView[]>>;
  queuePositions(jobIds: readonly string[]): Promise<ReadonlyMap<string, QueuePosition>>;
  segments(jobId: string, fromIndex: number, limit: number): Promise<readonly Segment[]>;
  speakers(jobId: string): Promise<readonly { readonly id: string; readonly totalMs: number }[]>;
  text(jobId: string, maxBytes: number): Promise<string | null>;
  failureGroups(tenantId: string, filter: JobFilter, first: number): Promise<readonly FailureGroupView[]>;
}

export interface QueueStore {
  all(): Promise<readonly QueueView[]>;
  update(name: QueueName, change: QueueChange): Promise<QueueView>;
  stats(queue: QueueName | null, since: Date, now: Date): Promise<StoredQueueStats>;
}

export type QueueChange =
  | { readonly pause: { readonly by: string; readonly reason: string; readonly at: Date } }
  | { readonly resume: true }
  | { readonly concurrency: number };

export type StoredQueueStats = Omit<
  QueueStatsView,
  'queue' | 'at' | 'workersOnline' | 'workersBusy' | 'engineAvailable'
>;

export interface TenantStore {
  /** Engines of a job that names none; null when the tenant has no wish of its own. */
  defaultEngines(tenantId: string): Promise<readonly Engine[] | null>;
}

export interface ModelStore {
  known(): Promise<readonly ModelView[]>;
  seen(models: readonly ModelView[], at: Date): Promise<void>;
}

/** What the broker does for the use cases. Every method may fail while NATS is away. */
export interface Broker {
  publishTask(job: AdmittedJob): Promise<{ readonly sequence: number }>;
  /** True when it was there. */
  deleteTask(sequence: number): Promise<boolean>;
  taskExists(sequence: number): Promise<boolean>;
  requestCancel(jobId: string, at: Date, reason: string | null): Promise<void>;
  /**
   * Ends a job or a run in the server's name, by an event on the job's chain: accepted only when nobody
   * wrote meanwhile. The same fence that keeps two workers apart keeps server and worker apart.
   *
   * @param atLeastAttempt The last attempt that the database knows of; the chain may have lost it.
   */
  endRun(jobId: string, end: ServerEnd, atLeastAttempt: number): Promise<EndRunResult>;
  /** Forgets a cancel that was asked of an earlier attempt. */
  clearCancel(jobId: string): Promise<void>;
  /**
   * The attempt that a new task of an unfinished job must name. Null when the chain ends in an event that the rows do not
   * know yet (one after `appliedSequence`): they will, and what it ended must not be run again. An outcome that the
   * rows know and refused (a broker that lost its newest events may have let a run complete that nobody believed) is
   * opened again first.
   */
  attemptForTask(
    jobId: string,
    rows: { readonly nextAttempt: number; readonly appliedSequence: number },
  ): Promise<number | null>;
}

export type ServerEnd =
  | { readonly type: 'canceled' }
  | { readonly type: 'lost' }
  | { readonly type: 'failed'; readonly failure: Failure };
export type EndRunResult =
  /** The event is on the chain. */
  | { readonly ended: true; readonly event: EventMessage }
  /** A worker has the job, or it is over. */
  | { readonly ended: false };
