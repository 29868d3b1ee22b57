import type { Segment } from '../domain/transcript.ts';
import type {
  AttemptOutcome,
  Engine,
  Failure,
  JobPriority,
  JobStage,
  JobStatus,
  QueueName,
  TranscriptionOptions,
} from '../domain/vocabulary.ts';

/**
 * What the service can do, as its transports (GraphQL, HTTP) see it: one method a use case, read models as
 * plain data. Every method refuses what the principal may not see exactly as if it were absent, throws
 * a `UserError` for what the caller can mend, `UnavailableError` for what may pass, and nothing
 * else on purpose.
 */
export interface Application {
  createUpload(by: Principal, input: CreateUploadInput): Promise<UploadView>;
  /** In the order asked; null where absent, another tenant's, or expired. */
  findUploads(by: Principal, ids: readonly string[]): Promise<readonly (UploadView | null)[]>;

  submitJob(
    by: Principal,
    input: SubmitJobInput,
  ): Promise<{ readonly job: JobView; readonly replayed: boolean }>;
  cancelJob(
    by: Principal,
    input: CancelJobInput,
  ): Promise<{ readonly job: JobView; readonly outcome: CancelOutcome }>;
  retryJob(
    by: Principal,
    input: RetryJobInput,
  ): Promise<{ readonly job: JobView; readonly replayed: boolean }>;
  deleteJob(by: Principal, input: DeleteJobInput): Promise<{ readonly deletedId: string }>;

  /** In the order asked; null where absent or not visible. At most 100 ids. */
  findJobs(by: Principal, ids: readonly string[]): Promise<readonly (JobView | null)[]>;
  findJobByExternalId(by: Principal, externalId: string): Promise<JobView | null>;
  listJobs(by: Principal, query: JobListQuery): Promise<Page<JobView>>;
  /** Exact up to `cap`; null above. */
  countJobs(by: Principal, filter: JobFilter, cap: number): Promise<number | null>;
  countJobsByStatus(
    by: Principal,
    filter: JobFilter,
  ): Promise<readonly { readonly status: JobStatus; readonly count: number }[]>;
  attemptsOf(jobIds: readonly string[]): Promise<ReadonlyMap<string, readonly AttemptView[]>>;
  /** 1-based places of QUEUED jobs among those of their queue; absent when unknown. */
  queuePositionsOf(jobIds: readonly string[]): Promise<ReadonlyMap<string, QueuePosition>>;

  segmentsOf(
    jobId: string,
    range: { readonly fromIndex: number; readonly limit: number },
  ): Promise<readonly Segment[]>;
  speakersOf(jobId: string): Promise<readonly { readonly id: string; readonly totalMs: number }[]>;
  /** The whole text, or null above `maxBytes` of UTF-8. */
  textOf(jobId: string, maxBytes: number): Promise<string | null>;
  /** The whole transcript in a file format, with a signed URL; null while there is no segment. */
  exportTranscript(by: Principal, jobId: string, request: ExportRequest): Promise<ExportView | null>;

  models(): Promise<readonly ModelView[]>;

  /** @throws NotFoundError; ValidationError for a cursor that is none of ours. */
  watchJob(by: Principal, input: WatchJobInput, signal: AbortSignal): AsyncIterable<JobProgressEvent>;
  watchSegments(
    by: Principal,
    input: WatchSegmentsInput,
    signal: AbortSignal,
  ): AsyncIterable<JobSegmentsEvent>;

  deadLetters(by: Principal, query: JobListQuery): Promise<Page<JobView>>;
  failureGroups(by: Principal, filter: JobFilter, first: number): Promise<readonly FailureGroupView[]>;
  requeueDeadLetters(by: Principal, input: BulkJobsInput): Promise<BulkJobsView>;
  discardDeadLetters(by: Principal, input: BulkJobsInput): Promise<BulkJobsView>;

  queues(by: Principal): Promise<readonly QueueView[]>;
  queueStats(by: Principal, queue: string | null, windowMs: number): Promise<QueueStatsView | null>;
  pauseQueue(by: Principal, input: { readonly name: string; readonly reason: string }): Promise<QueueView>;
  resumeQueue(by: Principal, input: { readonly name: string }): Promise<QueueView>;
  setQueueConcurrency(
    by: Principal,
    input: { readonly name: string; readonly concurrency: number },
  ): Promise<QueueView>;
}

/** Who asks. One tenant until keys exist. */
export interface Principal {
  readonly tenantId: string;
  readonly actor: string;
}

export interface CreateUploadInput {
  readonly filename: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly sha256?: string | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}

export interface UploadView {
  readonly id: string;
  readonly method: 'PUT';
  /** Signed; good until `expiresAt`. */
  readonly url: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly maxBytes: number;
  readonly expiresAt: Date;
}

export interface SubmitJobInput {
  readonly audio: { readonly url?: string | null | undefined; readonly uploadId?: string | null | undefined };
  readonly engines?: readonly Engine[] | null | undefined;
  readonly model?: string | null | undefined;
  readonly deadline?: Date | null | undefined;
  readonly language?: string | null | undefined;
  readonly timestamps?: TranscriptionOptions['timestamps'] | null | undefined;
  readonly diarize?: boolean | null | undefined;
  readonly translateToEnglish?: boolean | null | undefined;
  readonly vocabulary?: readonly string[] | null | undefined;
  readonly priority?: JobPriority | null | undefined;
  readonly scheduledFor?: Date | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined;
  readonly externalId?: string | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}

export interface CancelJobInput {
  readonly id: string;
  readonly reason?: string | null | undefined;
}
/** CANCELED: it had not started. REQUESTED: a worker has it and will let go. */
export type CancelOutcome = 'CANCELED' | 'REQUESTED' | 'ALREADY_FINAL';

export interface RetryJobInput {
  readonly id: string;
  readonly model?: string | null | undefined;
  readonly priority?: JobPriority | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}

export interface DeleteJobInput {
  readonly id: string;
  /** Cancel first when still running. */
  readonly force?: boolean | null | undefined;
}

export interface JobView {
  readonly id: string;
  readonly tenantId: string;
  readonly externalId: string | null;
  readonly status: JobStatus;
  readonly revision: number;
  readonly progress: ProgressView;
  readonly queue: QueueName;
  readonly priority: JobPriority;
  readonly engines: readonly Engine[];
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly audio: AudioView;
  readonly options: TranscriptionOptions;
  readonly submittedAt: Date;
  readonly scheduledFor: Date | null;
  readonly deadline: Date | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly nextAttemptAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly failure: JobFailureView | null;
  readonly transcript: TranscriptView | null;
  readonly usage: { readonly billedSeconds: number; readonly computeSeconds: number } | null;
}

export interface ProgressView {
  readonly stage: JobStage | null;
  /** 0 to 1; 1 only when the job is COMPLETED. */
  readonly fraction: number;
  readonly processedSeconds: number;
  readonly totalSeconds: number | null;
  readonly segmentCount: number;
  readonly realtimeFactor: number | null;
  readonly etaSeconds: number | null;
  /** True when the engine reports no progress and `etaSeconds` comes from other jobs' speed. */
  readonly isEstimate: boolean;
  readonly updatedAt: Date;
}

export interface AudioView {
  readonly filename: string | null;
  readonly contentType: string | null;
  readonly codec: string | null;
  readonly sizeBytes: number | null;
  readonly durationSeconds: number | null;
  readonly sha256: string | null;
  readonly sampleRate: number | null;
  readonly channels: number | null;
}

export type JobFailureView = Failure & { readonly at: Date; readonly deadLetteredAt: Date | null };

export interface TranscriptView {
  readonly jobId: string;
  readonly language: string | null;
  readonly languageConfidence: number | null;
  readonly isFinal: boolean;
}

export interface AttemptView {
  readonly number: number;
  readonly engine: Engine;
  readonly model: string;
  readonly workerId: string | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly outcome: AttemptOutcome | null;
  readonly failure: JobFailureView | null;
  readonly requestId: string | null;
}

export interface QueuePosition {
  readonly position: number;
  readonly estimatedStartAt: Date | null;
}

export interface ModelView {
  readonly name: string;
  readonly engine: Engine;
  readonly languages: readonly string[];
  readonly isDefault: boolean;
}

export interface DateRange {
  readonly gte?: Date | null | undefined;
  readonly gt?: Date | null | undefined;
  readonly lte?: Date | null | undefined;
  readonly lt?: Date | null | undefined;
}

/** Lists mean any of; fields are combined with AND. */
export interface JobFilter {
  readonly status?: readonly JobStatus[] | null | undefined;
  readonly queue?: readonly string[] | null | undefined;
  readonly priority?: readonly JobPriority[] | null | undefined;
  readonly model?: readonly string[] | null | undefined;
  readonly language?: readonly string[] | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  readonly externalId?: readonly string[] | null | undefined;
  readonly engine?: readonly Engine[] | null | undefined;
  readonly failureKind?: readonly Failure['kind'][] | null | undefined;
  readonly deadLettered?: boolean | null | undefined;
  readonly workerId?: string | null | undefined;
  readonly submittedAt?: DateRange | null | undefined;
  readonly finishedAt?: DateRange | null | undefined;
  readonly search?: string | null | undefined;
}

export const JOB_ORDER_FIELDS = ['SUBMITTED_AT', 'STARTED_AT', 'FINISHED_AT', 'AUDIO_DURATION'] as const;
export type JobOrderField = (typeof JOB_ORDER_FIELDS)[number];

/** A page of a connection: exactly one of first/last, 1 to 100, checked by the use case. */
export interface PageRequest {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

export interface JobListQuery extends PageRequest {
  readonly filter: JobFilter;
  readonly orderBy: { readonly field: JobOrderField; readonly direction: 'ASC' | 'DESC' };
}

export interface Page<Item> {
  readonly edges: readonly { readonly cursor: string; readonly node: Item }[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

export const EXPORT_FORMATS = ['TXT', 'SRT', 'VTT', 'JSON', 'TSV'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  /** 10 to 120. */
  readonly maxCharsPerLine: number;
  /** 1 to 5. */
  readonly maxLines: number;
  readonly includeSpeakers: boolean;
  readonly highlightWords: boolean;
}

export interface ExportRequest {
  readonly format: ExportFormat;
  readonly options: ExportOptions;
}

export interface ExportView {
  readonly format: ExportFormat;
  readonly contentType: string;
  /** Null above 256 KiB: fetch `url`. */
  readonly content: string | null;
  readonly url: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly expiresAt: Date;
}

export interface WatchJobInput {
  readonly id: string;
  /** A cursor of an earlier event. */
  readonly after?: string | null | undefined;
  /** 100 to 10 000. */
  readonly minIntervalMs?: number | null | undefined;
}

/** See docs/subscriptions.md for what each type promises. */
export interface JobProgressEvent {
  readonly type: 'SNAPSHOT' | 'PROGRESS' | 'STATUS';
  readonly newSegments: readonly Segment[];
  readonly cursor: string;
  readonly at: Date;
  readonly coalesced: number;
  readonly job: JobView;
}

export interface WatchSegmentsInput {
  readonly id: string;
  readonly after?: string | null | undefined;
}

export interface JobSegmentsEvent {
  readonly cursor: string;
  readonly from: number;
  readonly to: number;
  readonly segments: readonly Segment[];
  readonly jobStatus: JobStatus;
}

export interface FailureGroupView {
  readonly fingerprint: string;
  readonly kind: Failure['kind'];
  readonly message: string;
  readonly count: number;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  readonly sampleJobIds: readonly string[];
}

export interface BulkJobsInput {
  readonly filter: JobFilter;
  readonly dryRun?: boolean | null | undefined;
  readonly expectedCount?: number | null | undefined;
  readonly limit?: number | null | undefined;
}

export interface BulkJobsView {
  readonly matched: number;
  readonly changed: number;
  readonly skipped: number;
  readonly dryRun: boolean;
  readonly failures: readonly { readonly id: string; readonly error: Error }[];
}

export interface QueueView {
  readonly id: string;
  readonly name: QueueName;
  readonly isPaused: boolean;
  readonly pausedAt: Date | null;
  readonly pausedBy: string | null;
  readonly pauseReason: string | null;
  /** Jobs that may run at once over all workers; 0 stops the queue. */
  readonly concurrency: number;
}

export interface QueueStatsView {
  readonly queue: QueueName | null;
  readonly at: Date;
  readonly scheduled: number;
  readonly queued: number;
  readonly processing: number;
  readonly retrying: number;
  readonly deadLettered: number;
  readonly completed: number;
  readonly failed: number;
  readonly failureRate: number;
  readonly oldestQueuedAt: Date | null;
  readonly waitMsP50: number | null;
  readonly waitMsP95: number | null;
  readonly runMsP50: number | null;
  readonly runMsP95: number | null;
  readonly jobsPerMinute: number;
  readonly audioSecondsPerSecond: number;
  readonly workersOnline: number;
  readonly workersBusy: number;
  /** False while every worker of the queue reports its engine as unavailable (breaker open). */
  readonly engineAvailable: boolean;
}
