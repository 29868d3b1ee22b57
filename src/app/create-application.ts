import { NotFoundError, ValidationError } from '../domain/errors.ts';
import type { JobView } from '../domain/job-view.ts';
import type { Principal } from '../domain/principal.ts';
import type { QueueView } from '../domain/queue-view.ts';
import { ENGINES, type QueueName, queueOf } from '../domain/vocabulary.ts';
import type { QueueStore } from '../storage/queue-store.ts';
import type { Application } from './application.ts';
import { type CancelJobPorts, cancelJob } from './cancel-job.ts';
import { discardDeadLetters, requeueDeadLetters } from './dead-letters.ts';
import { deleteJob } from './delete-job.ts';
import { type ExportPorts, exportTranscript } from './export-transcript.ts';
import { type RetryJobPorts, retryJob } from './retry-job.ts';
import { type SubmitJobPorts, submitJob } from './submit-job.ts';

export interface ApplicationDeps extends SubmitJobPorts, CancelJobPorts, RetryJobPorts, ExportPorts {
  readonly queues: QueueStore;
  readonly uploads: Pick<Application, 'createUpload' | 'findUploads'>;
  readonly watch: Pick<Application, 'watchJob' | 'watchSegments'>;
  /** Lays what was heard live of a running job over what is stored. */
  readonly live: (view: JobView) => JobView;
  readonly workers: {
    readonly online: (queue: QueueName | null) => number;
    readonly busy: (queue: QueueName | null) => number;
    readonly engineAvailable: (queue: QueueName | null) => boolean;
  };
  /** Called after a change that admission or the lanes must follow at once. */
  readonly queueChanged: (queue: QueueView) => Promise<void>;
  readonly brokerFailed: (jobId: string, error: unknown) => void;
}

const QUEUES = ENGINES.map(queueOf);

/** Puts the use cases together; the only implementation of `Application`. */
export function createApplication(deps: ApplicationDeps): Application {
  const { reader, live } = deps;

  const getJob = async (by: Principal, id: string): Promise<JobView> => {
    const job = (await reader.find(by.tenantId, [id])).get(id);
    if (job === undefined) throw new NotFoundError('job', id, ['input', 'id']);
    return live(job);
  };

  return {
    ...deps.uploads,
    ...deps.watch,

    submitJob: async (by, input) => submitJob(deps, by, input),

    async cancelJob(by, input) {
      const { outcome, brokerError } = await cancelJob(deps, by, input);
      // The wish is stored, and the reconciler says it again; only operators need to know.
      if (brokerError !== null) deps.brokerFailed(input.id, brokerError);
      return { job: await getJob(by, input.id), outcome };
    },

    async retryJob(by, input) {
      const { jobId, replayed } = await retryJob(deps, by, input);
      return { job: await getJob(by, jobId), replayed };
    },

    deleteJob: (by, input) => deleteJob(deps, by, input),

    async findJobs(by, ids) {
      const found = await reader.find(by.tenantId, ids);
      return ids.map((id) => {
        const job = found.get(id);
        return job === undefined ? null : live(job);
      });
    },

    async findJobByExternalId(by, externalId) {
      const job = await reader.findByExternalId(by.tenantId, externalId);
      return job === null ? null : live(job);
    },

    async listJobs(by, query) {
      const page = await reader.list(by.tenantId, query);
      return { ...page, edges: page.edges.map((edge) => ({ ...edge, node: live(edge.node) })) };
    },

    countJobs: (by, filter, cap) => reader.count(by.tenantId, filter, cap),
    countJobsByStatus: (by, filter) => reader.countByStatus(by.tenantId, filter),
    attemptsOf: (jobIds) => reader.attempts(jobIds),
    queuePositionsOf: (jobIds) => reader.queuePositions(jobIds),
    segmentsOf: (jobId, { fromIndex, limit }) => reader.segments(jobId, fromIndex, limit),
    speakersOf: (jobId) => reader.speakers(jobId),
    textOf: (jobId, maxBytes) => reader.text(jobId, maxBytes),
    exportTranscript: (by, jobId, request) => exportTranscript(deps, by, jobId, request),
    models: () => deps.models.known(),

    deadLetters: (by, query) =>
      reader.list(by.tenantId, { ...query, filter: { ...query.filter, deadLettered: true } }),
    failureGroups: (by, filter, first) => reader.failureGroups(by.tenantId, filter, first),
    requeueDeadLetters: (by, input) => requeueDeadLetters(deps, by, input),
    discardDeadLetters: (by, input) => discardDeadLetters(deps, by, input),

    ...queueUseCases(deps),
  };
}

function queueUseCases(
  deps: ApplicationDeps,
): Pick<Application, 'queues' | 'queueStats' | 'pauseQueue' | 'resumeQueue' | 'setQueueConcurrency'> {
  const { queues, workers, environment, queueChanged } = deps;

  const known = (name: string): QueueName => {
    const queue = QUEUES.find((candidate) => candidate === name);
    if (queue === undefined)
      throw new NotFoundError(`queue named ${name} (there are ${QUEUES.join(', ')})`, null, [
        'input',
        'name',
      ]);
    return queue;
  };
  const changed = async (queue: QueueView): Promise<QueueView> => {
    await queueChanged(queue);
    return queue;
  };

  return {
    queues: () => queues.all(),

    async queueStats(_by, name, windowMs) {
      const queue = name === null ? null : known(name);
      const now = environment.now();
      const stored = await queues.stats(queue, new Date(now.getTime() - windowMs), now);
      return {
        ...stored,
        queue,
        at: now,
        workersOnline: workers.online(queue),
        workersBusy: workers.busy(queue),
        engineAvailable: workers.engineAvailable(queue),
      };
    },

    async pauseQueue(by, { name, reason }) {
      if (reason.length < 3 || reason.length > 200) {
        const message = '`reason` must be 3 to 200 characters long.';
        throw new ValidationError([{ path: ['input', 'reason'], rule: 'length', message }]);
      }
      const pause = { by: by.actor, reason, at: environment.now() };
      return changed(await queues.update(known(name), { pause }));
    },

    resumeQueue: async (_by, { name }) => changed(await queues.update(known(name), { resume: true })),

    async setQueueConcurrency(_by, { name, concurrency }) {
      if (!Number.isInteger(concurrency) || concurrency < 0 || concurrency > 1000) {
        const message = '`concurrency` must be 0 to 1000.';
        throw new ValidationError([{ path: ['input', 'concurrency'], rule: 'range', message }]);
      }
      return changed(await queues.update(known(name), { concurrency }));
    },
  };
}
