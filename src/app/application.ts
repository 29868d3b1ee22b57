import type { SignedLinks } from '../auth/signed-links.ts';
import type { ServerConfig } from '../config/config.ts';
import { NotFoundError } from '../domain/errors.ts';
import { JobFilter, type JobListInput, JobListQuery } from '../domain/job-list.ts';
import type { JobView } from '../domain/job-view.ts';
import type { LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { Principal } from '../domain/principal.ts';
import { validate } from '../domain/validate.ts';
import type { Hub } from '../live/hub.ts';
import { type WatchJobInput, watchJob } from '../live/watch-job.ts';
import { type WatchSegmentsInput, watchSegments } from '../live/watch-segments.ts';
import type { WorkerRegistry } from '../live/worker-registry.ts';
import type { Broker } from '../messaging/broker.ts';
import type { Logger } from '../observability/logger.ts';
import { atMost } from '../process/at-most.ts';
import type { Storage } from '../storage/open-storage.ts';
import { uploadApi } from '../uploads/upload-api.ts';
import type { UploadDeps } from '../uploads/upload-deps.ts';
import { type CancelJobInput, cancelJob } from './cancel-job.ts';
import {
  type BulkJobsInput,
  discardDeadLetters,
  type FailureGroupsInput,
  groupFailures,
  requeueDeadLetters,
} from './dead-letters.ts';
import { type DeleteJobInput, deleteJob } from './delete-job.ts';
import { describeExport, type ExportInput, openExport } from './export-transcript.ts';
import {
  type PauseQueueInput,
  pauseQueue,
  type ResumeQueueInput,
  readQueueStats,
  resumeQueue,
  type SetQueueConcurrencyInput,
  setQueueConcurrency,
} from './queues.ts';
import { type ReadSegmentsInput, readSegments } from './read-segments.ts';
import { type RetryJobInput, retryJob } from './retry-job.ts';
import { type SubmitJobInput, submitJob } from './submit-job.ts';

export interface ApplicationDeps extends Storage, LifecyclePorts {
  readonly broker: Broker;
  /** Brings the lanes in NATS to the settings of their queues. */
  readonly lanes: { ensureLanes(): Promise<void> };
  readonly hub: Hub;
  readonly registry: WorkerRegistry;
  readonly uploads: UploadDeps;
  readonly links: SignedLinks;
  readonly config: Pick<
    ServerConfig,
    'MAX_ATTEMPTS' | 'DEFAULT_ENGINES' | 'RETENTION_DAYS' | 'AUDIO_ALLOWED_NETWORKS'
  >;
  readonly log: Logger;
}

/** Described exports at once, and those that may wait: each holds a page of segments and takes the database's time. */
const MAX_EXPORTS = 4;
const MAX_WAITING_EXPORTS = 1000;
/** More jobs than this are not counted. */
const MAX_COUNT = 10_000;
const MAX_TEXT_BYTES = 1024 * 1024;

/**
 * What the service can do, for its transports (GraphQL, HTTP). Everything is bound to a principal: what belongs to
 * another tenant is treated as absent. Methods throw a `UserError` for what the caller can correct, and
 * `UnavailableError` for what may work later.
 */
export function createApplication(deps: ApplicationDeps) {
  const limitExports = atMost(MAX_EXPORTS, MAX_WAITING_EXPORTS);
  return {
    as: (by: Principal) => ({
      jobs: jobsOf(deps, by),
      transcripts: transcriptsOf(deps, by, limitExports),
      deadLetters: deadLettersOf(deps, by),
      queues: queuesOf(deps, by),
      uploads: uploadApi(deps.uploads, by),
      models: { list: () => deps.models.known() },
    }),
  };
}
export type Application = ReturnType<typeof createApplication>;
/** The service as one principal may use it. */
export type Api = ReturnType<Application['as']>;

function jobsOf(deps: ApplicationDeps, by: Principal) {
  const { reader, hub } = deps;
  const { tenantId } = by;
  const find = async (ids: readonly string[]): Promise<readonly (JobView | null)[]> => {
    const found = await reader.find(tenantId, ids);
    return ids.map((id) => {
      const job = found.get(id);
      return job === undefined ? null : hub.withProgress(job);
    });
  };
  const get = async (id: string): Promise<JobView> => {
    const [job] = await find([id]);
    if (job == null) throw new NotFoundError('job', id, ['input', 'id']);
    return job;
  };
  const list = async (query: JobListQuery) => {
    const page = await reader.list(tenantId, query);
    return { ...page, edges: page.edges.map((edge) => ({ ...edge, node: hub.withProgress(edge.node) })) };
  };
  return {
    submit: (input: SubmitJobInput) => submitJob(deps, by, input),
    cancel: async (input: CancelJobInput) => ({
      outcome: await cancelJob(deps, by, input),
      job: await get(input.id),
    }),
    retry: async (input: RetryJobInput) => {
      const { jobId, replayed } = await retryJob(deps, by, input);
      return { job: await get(jobId), replayed };
    },
    delete: (input: DeleteJobInput) => deleteJob(deps, by, input),

    /** In the order of the ids; null where absent. */
    find,
    findByExternalId: async (externalId: string) => {
      const job = await reader.findByExternalId(tenantId, externalId);
      return job === null ? null : hub.withProgress(job);
    },
    list: (query: JobListInput) => list(validate(JobListQuery, query, [])),
    /** Null above 10,000. */
    count: (filter: JobFilter) => reader.count(tenantId, validate(JobFilter, filter, ['filter']), MAX_COUNT),
    countByStatus: (filter: JobFilter) =>
      reader.countByStatus(tenantId, validate(JobFilter, filter, ['filter'])),
    attempts: (jobIds: readonly string[]) => reader.attempts(tenantId, jobIds),
    queuePositions: (jobIds: readonly string[]) => reader.queuePositions(tenantId, jobIds),

    /** @throws NotFoundError, ValidationError at the first event. */
    watch: (input: WatchJobInput, signal: AbortSignal) => watchJob(deps, by, input, signal),
    watchSegments: (input: WatchSegmentsInput, signal: AbortSignal) => watchSegments(deps, by, input, signal),
  };
}

function transcriptsOf(deps: ApplicationDeps, by: Principal, limitExports: ReturnType<typeof atMost>) {
  const { reader } = deps;
  return {
    segments: (input: ReadSegmentsInput) => readSegments(deps, by, input),
    speakers: (jobId: string) => reader.speakers(by.tenantId, jobId),
    /** Null above 1 MiB. */
    text: (jobId: string) => reader.text(by.tenantId, jobId, MAX_TEXT_BYTES),
    /** @throws UnavailableError when too many exports wait. */
    describeExport: (input: ExportInput) => limitExports(() => describeExport(deps, by, input)),
    openExport: (input: ExportInput) => openExport(deps, by, input),
  };
}

function deadLettersOf(deps: ApplicationDeps, by: Principal) {
  return {
    /** The latest first. */
    list: ({ filter, ...page }: Omit<JobListInput, 'orderBy'>) =>
      deps.reader.list(
        by.tenantId,
        validate(
          JobListQuery,
          {
            ...page,
            filter: { ...filter, deadLettered: true },
            orderBy: { field: 'FINISHED_AT', direction: 'DESC' },
          },
          [],
        ),
      ),
    groups: (input: FailureGroupsInput) => groupFailures(deps, by, input),
    requeue: (input: BulkJobsInput) => requeueDeadLetters(deps, by, input),
    discard: (input: BulkJobsInput) => discardDeadLetters(deps, by, input),
  };
}

function queuesOf(deps: ApplicationDeps, by: Principal) {
  return {
    list: () => deps.queues.all(),
    /** @param name One queue, or null for all of them together. */
    stats: (name: string | null, windowMs: number) => readQueueStats(deps, name, windowMs),
    pause: (input: PauseQueueInput) => pauseQueue(deps, by, input),
    resume: (input: ResumeQueueInput) => resumeQueue(deps, input),
    setConcurrency: (input: SetQueueConcurrencyInput) => setQueueConcurrency(deps, input),
  };
}
