import type { EventMessage, ProgressMessage } from '../contract/messages.ts';
import { UnavailableError } from '../domain/errors.ts';
import type { JobView } from '../domain/job-view.ts';
import type { Logger } from '../observability/logger.ts';
import { JobChannel, type StoredSnapshot } from './job-channel.ts';
import { withLiveProgress } from './live-progress.ts';

export interface HubOptions {
  /** Reads stored jobs; ids that do not exist are missing in the result. */
  readonly read: (jobIds: readonly string[]) => Promise<ReadonlyMap<string, StoredSnapshot>>;
  readonly log: Logger;
  /** Subscriptions in this process; above, they are refused with a time to retry. */
  readonly maxSubscribers?: number;
  /** The last progress of a run, also from before this process started; null when there is none. */
  readonly lastProgress?: (jobId: string) => Promise<ProgressMessage | null>;
  readonly now?: () => number;
}

/** Running jobs whose last progress is kept, for queries and for new subscribers. */
const MAX_RUNS = 10_000;
const READ_BATCH = 100;
const READ_AGAIN_MS = 1000;
const PROGRESS_LIFETIME_MS = 120_000;

interface Watched {
  readonly channel: JobChannel;
  subscribers: number;
}

/**
 * Passes events and changes on to the subscribers of this process. It receives those of all jobs and keeps a channel for
 * each job that has subscribers.
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #progress = new Map<string, { readonly progress: ProgressMessage; readonly seenAt: number }>();
  readonly #seenAt = new Map<string, number>();
  readonly #stale = new Set<string>();
  readonly #now: () => number;
  #refreshing = false;
  #subscribers = 0;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  receiveEvent(event: EventMessage): void {
    this.#remember(event.jobId);
    this.#watched.get(event.jobId)?.channel.receiveEvent(event);
  }

  receiveProgress(progress: ProgressMessage): void {
    this.#remember(progress.jobId);
    this.#progress.delete(progress.jobId);
    this.#progress.set(progress.jobId, { progress, seenAt: this.#now() });
    forgetOldest(this.#progress);
    this.#watched.get(progress.jobId)?.channel.receiveProgress(progress);
  }

  #remember(jobId: string): void {
    this.#seenAt.delete(jobId);
    this.#seenAt.set(jobId, this.#now());
    forgetOldest(this.#seenAt);
  }

  /** When this process last received an event or progress of the job; null when never. */
  lastSeenAt(jobId: string): Date | null {
    const at = this.#seenAt.get(jobId);
    return at === undefined ? null : new Date(at);
  }

  /** The newest progress of a running job; null when there is none or it is outdated. */
  progressOf(jobId: string): ProgressMessage | null {
    const entry = this.#progress.get(jobId);
    if (entry === undefined || entry.seenAt < this.#now() - PROGRESS_LIFETIME_MS) return null;
    return entry.progress;
  }

  /** A job as it was stored, with the progress that its run has reported since. */
  withProgress(view: JobView): JobView {
    return withLiveProgress(view, { latest: this.progressOf(view.id), checkpointMs: 0, segmentCount: 0 });
  }

  /** A job was changed in the database. */
  jobChanged(jobId: string): void {
    if (!this.#watched.has(jobId)) return;
    this.#stale.add(jobId);
    void this.#refresh();
  }

  /** Reads every watched job again, since notifications may have been lost. */
  refreshAll(): void {
    for (const jobId of this.#watched.keys()) this.#stale.add(jobId);
    void this.#refresh();
  }

  /** One read at a time, of all jobs that have changed since the last one. */
  async #refresh(): Promise<void> {
    if (this.#refreshing) return;
    this.#refreshing = true;
    let ids: string[] = [];
    try {
      while (this.#stale.size > 0) {
        ids = [...this.#stale].slice(0, READ_BATCH);
        for (const id of ids) this.#stale.delete(id);
        const stored = await this.#options.read(ids);
        for (const id of ids) this.#watched.get(id)?.channel.update(stored.get(id) ?? null);
      }
    } catch (err) {
      this.#options.log.warn({ err }, 'failed to read watched jobs; retrying');
      for (const id of ids) this.#stale.add(id);
      setTimeout(() => void this.#refresh(), READ_AGAIN_MS).unref();
    } finally {
      this.#refreshing = false;
    }
  }

  /**
   * Joins the job's channel; null when there is no such job. The caller must `leave` it. Joining precedes reading, so
   * that no event is lost in between.
   *
   * @throws UnavailableError when this process has the maximum number of subscribers.
   */
  async join(jobId: string): Promise<JobChannel | null> {
    if (this.#subscribers >= (this.#options.maxSubscribers ?? Number.POSITIVE_INFINITY)) {
      throw new UnavailableError('Subscription limit reached; reconnect later.');
    }
    this.#subscribers += 1;
    try {
      const channel = await this.#joinChannel(jobId);
      if (channel === null) this.#subscribers -= 1;
      return channel;
    } catch (error) {
      this.#subscribers -= 1;
      throw error;
    }
  }

  async #joinChannel(jobId: string): Promise<JobChannel | null> {
    const watched = this.#watched.get(jobId);
    if (watched !== undefined) {
      watched.subscribers += 1;
      return watched.channel;
    }
    const stored = (await this.#options.read([jobId])).get(jobId);
    if (stored === undefined) return null;
    const meanwhile = this.#watched.get(jobId);
    if (meanwhile !== undefined) {
      meanwhile.subscribers += 1;
      return meanwhile.channel;
    }
    const channel = new JobChannel(stored);
    const progress = this.progressOf(jobId);
    if (progress !== null) channel.receiveProgress(progress);
    this.#watched.set(jobId, { channel, subscribers: 1 });
    if (progress === null && stored.view.status === 'PROCESSING') void this.#recallProgress(jobId);
    // A change that was committed since the read found no channel to notify.
    this.jobChanged(jobId);
    return channel;
  }

  /** Shows the progress of a run that started before this process. It may be old, so it does not count as seen. */
  async #recallProgress(jobId: string): Promise<void> {
    try {
      const progress = (await this.#options.lastProgress?.(jobId)) ?? null;
      if (progress === null || this.progressOf(jobId) !== null) return;
      this.#progress.set(jobId, { progress, seenAt: progress.at });
      if (this.progressOf(jobId) !== null) this.#watched.get(jobId)?.channel.receiveProgress(progress);
    } catch (err) {
      this.#options.log.debug({ err, jobId }, 'failed to read the last progress of a job');
    }
  }

  leave(jobId: string): void {
    const watched = this.#watched.get(jobId);
    if (watched === undefined) return;
    this.#subscribers -= 1;
    watched.subscribers -= 1;
    if (watched.subscribers === 0) this.#watched.delete(jobId);
  }

  get subscribers(): number {
    return this.#subscribers;
  }

  get watchedJobs(): number {
    return this.#watched.size;
  }
}

function forgetOldest(map: Map<string, unknown>): void {
  if (map.size <= MAX_RUNS) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
