import type { ExportRequest } from '../captions/export-options.ts';
import type { JobFilter, JobListQuery, Page } from '../domain/job-list.ts';
import type { AttemptView, FailureGroupView, JobView, QueuePosition } from '../domain/job-view.ts';
import type { Principal } from '../domain/principal.ts';
import type { ModelView, QueueStatsView, QueueView } from '../domain/queue-view.ts';
import type { Segment } from '../domain/transcript.ts';
import type { JobStatus } from '../domain/vocabulary.ts';
import type {
  JobProgressEvent,
  JobSegmentsEvent,
  WatchJobInput,
  WatchSegmentsInput,
} from '../live/watch-job.ts';
import type { CreateUploadInput, UploadView } from '../uploads/uploads.ts';
import type { CancelJobInput, CancelOutcome } from './cancel-job.ts';
import type { BulkJobsInput, BulkJobsView } from './dead-letters.ts';
import type { DeleteJobInput } from './delete-job.ts';
import type { ExportView } from './export-transcript.ts';
import type { RetryJobInput } from './retry-job.ts';
import type { SubmitJobInput } from './submit-job.ts';

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
