import DataLoader from 'dataloader';
import type { Api } from '../app/application.ts';
import type { AttemptView, JobView, QueuePosition } from '../domain/job-view.ts';
import type { QueueView } from '../domain/queue-view.ts';
import type { UploadView } from '../uploads/create-upload.ts';

/** Passed to every resolver: the service as the caller may use it, and batching loaders. */
export interface GraphQLContext {
  readonly api: Api;
  readonly requestId: string;
  /** Aborts when the caller disconnects, which ends this operation's subscriptions. */
  readonly signal: AbortSignal;
  readonly loaders: Loaders;
}

export interface Loaders {
  readonly job: DataLoader<string, JobView | null>;
  readonly upload: DataLoader<string, UploadView | null>;
  readonly queue: DataLoader<string, QueueView | null>;
  readonly attempts: DataLoader<string, readonly AttemptView[]>;
  readonly queuePosition: DataLoader<string, QueuePosition | null>;
  /** Milliseconds of speech by speaker id, by job. */
  readonly speech: DataLoader<string, ReadonlyMap<string, number>>;
}

/**
 * Batches without a cache: a context lives as long as its subscription, and a job changes between two of its events.
 */
export function createLoaders(api: Api): Loaders {
  const options = { cache: false, maxBatchSize: 100 };
  return {
    job: new DataLoader((ids) => api.jobs.find(ids), options),
    upload: new DataLoader((ids) => api.uploads.find(ids), options),
    queue: new DataLoader(async (ids) => {
      const queues = await api.queues.list();
      return ids.map((id) => queues.find((queue) => queue.id === id) ?? null);
    }, options),
    attempts: new DataLoader(async (ids) => {
      const attempts = await api.jobs.attempts(ids);
      return ids.map((id) => attempts.get(id) ?? []);
    }, options),
    queuePosition: new DataLoader(async (ids) => {
      const positions = await api.jobs.queuePositions(ids);
      return ids.map((id) => positions.get(id) ?? null);
    }, options),
    speech: new DataLoader(async (ids) => {
      const byJob = new Map(await Promise.all([...new Set(ids)].map((id) => speechOf(api, id))));
      return ids.map((id) => byJob.get(id) ?? new Map());
    }, options),
  };
}

async function speechOf(api: Api, jobId: string): Promise<[string, ReadonlyMap<string, number>]> {
  const speakers = await api.transcripts.speakers(jobId);
  return [jobId, new Map(speakers.map(({ id, totalMs }) => [id, totalMs]))];
}
