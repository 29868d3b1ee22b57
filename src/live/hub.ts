import type { EventMessage, ProgressMessage } from '../contract/messages.ts';
import { UnavailableError } from '../domain/errors.ts';
import type { JobView } from '../domain/job-view.ts';
import type { Logger } from '../observability/logger.ts';
import { JobChannel, type StoredSnapshot } from './job-channel.ts';
import { withLiveProgress } from './live-progress.ts';

export interface HubOptions {
  /** Reads jobs as they are stored; absent ids are missing in the answer. */
  readonly read: (jobIds: readonly string[]) => Promise<ReadonlyMap<string, StoredSnapshot>>;
  readonly log: Logger;
  /** Subscriptions in this process; more are told to come back. */
  readonly maxSubscribers?: number;
  /** What a run last told before this process listened; null when there is none. */
  readonly lastProgress?: (jobId: string) => Promise<ProgressMessage | null>;
  readonly now?: () => number;
}

/** Running jobs whose last progress is remembered, for queries and for late subscribers. */
const MAX_TICKS = 10_000;
const READ_BATCH = 100;
const READ_AGAIN_MS = 1000;
const TICK_LIFETIME_MS = 120_000;

interface Watched {
  readonly channel: JobChannel;
  subscribers: number;
}

/**
 * Events and changes to live subscribers, in memory, once a server process: it hears everything and keeps a
 * channel for each job that somebody watches.
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

  /** When this process last heard of a run of the job. */
  lastSeenAt(jobId: string): Date | null {
    const at = this.#seenAt.get(jobId);
    return at === undefined ? null : new Date(at);
  }

  /** The newest progress of a running job; null when there is none worth showing. */
  progressOf(jobId: string): ProgressMessage | null {
    const entry = this.#progress.get(jobId);
    if (entry === undefined || entry.seenAt < this.#now() - TICK_LIFETIME_MS) return null;
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

  /** Changes may have gone unheard: every watched job is read again. */
  refreshAll(): void {
    for (const jobId of this.#watched.keys()) this.#stale.add(jobId);
    void this.#refresh();
  }

  /** One read at a time, of everything that changed meanwhile. */
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
      this.#options.log.warn({ err }, 'watched jobs could not be read; reading them again soon');
      for (const id of ids) this.#stale.add(id);
      setTimeout(() => void this.#refresh(), READ_AGAIN_MS).unref();
    } finally {
      this.#refreshing = false;
    }
  }

  /**
   * Joins the job's channel; null when there is no such job. The caller must `leave` in the end.
   * Joined before read, so that nothing falls between the snapshot and what follows.
   *
   * @throws UnavailableError when this process has as many subscribers as it may.
   */
  async join(jobId: string): Promise<JobChannel | null> {
    if (this.#subscribers >= (this.#options.maxSubscribers ?? Number.POSITIVE_INFINITY)) {
      throw new UnavailableError('This server has as many subscriptions as it can hold just now.');
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
    // What was committed between the read and now was announced to nobody.
    this.jobChanged(jobId);
    return channel;
  }

  /** Shows at once how far a run is that began before this process did. It is no sign of life: it was told before. */
  async #recallProgress(jobId: string): Promise<void> {
    try {
      const progress = (await this.#options.lastProgress?.(jobId)) ?? null;
      if (progress === null || this.progressOf(jobId) !== null) return;
      this.#progress.set(jobId, { progress, seenAt: progress.at });
      if (this.progressOf(jobId) !== null) this.#watched.get(jobId)?.channel.receiveProgress(progress);
    } catch (err) {
      this.#options.log.debug(
        { err, jobId },
        'the last progress of a job could not be read; its next will show',
      );
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
  if (map.size <= MAX_TICKS) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
