import DataLoader from 'dataloader';
import type { Application } from '../app/application.ts';
import type { AttemptView, JobView, QueuePosition } from '../domain/job-view.ts';
import type { Principal } from '../domain/principal.ts';
import type { QueueView } from '../domain/queue-view.ts';
import type { UploadView } from '../uploads/uploads.ts';

/** What every resolver gets: who asks, the use cases, and readers that batch. */
export interface GraphQLContext {
  readonly app: Application;
  readonly principal: Principal;
  readonly requestId: string;
  /** Fires when the caller has gone; ends this operation's subscriptions. */
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
 * Batches without remembering: a context lives as long as its subscription, and a job changes between
 * two of its events.
 */
export function createLoaders(app: Application, principal: Principal): Loaders {
  const options = { cache: false, maxBatchSize: 100 };
  return {
    job: new DataLoader((ids) => app.findJobs(principal, ids), options),
    upload: new DataLoader((ids) => app.findUploads(principal, ids), options),
    queue: new DataLoader(async (ids) => {
      const queues = await app.queues(principal);
      return ids.map((id) => queues.find((queue) => queue.id === id) ?? null);
    }, options),
    attempts: new DataLoader(async (ids) => {
      const attempts = await app.attemptsOf(ids);
      return ids.map((id) => attempts.get(id) ?? []);
    }, options),
    queuePosition: new DataLoader(async (ids) => {
      const positions = await app.queuePositionsOf(ids);
      return ids.map((id) => positions.get(id) ?? null);
    }, options),
    speech: new DataLoader(async (ids) => {
      const byJob = new Map(await Promise.all([...new Set(ids)].map((id) => speechOf(app, id))));
      return ids.map((id) => byJob.get(id) ?? new Map());
    }, options),
  };
}

async function speechOf(app: Application, jobId: string): Promise<[string, ReadonlyMap<string, number>]> {
  const speakers = await app.speakersOf(jobId);
  return [jobId, new Map(speakers.map(({ id, totalMs }) => [id, totalMs]))];
}
