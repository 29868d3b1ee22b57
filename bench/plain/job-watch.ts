import { EventEmitter } from 'node:events';
import type { QueueEvents } from 'bullmq';
import { type PlainJob, type PlainJobs, type PlainSegment, progressOf } from './jobs.ts';

/** What a worker reports with `updateProgress`, and with its return value once all is done. */
export interface PlainReport {
  readonly processedMs: number;
  readonly totalMs: number | null;
  /** New since the report before. */
  readonly segments: readonly PlainSegment[];
  readonly segmentCount: number;
}

export interface WatchEvent {
  readonly type: 'SNAPSHOT' | 'STATUS' | 'PROGRESS';
  readonly newSegments: readonly PlainSegment[];
  readonly job: PlainJob;
}

type News =
  | { readonly type: 'active' }
  | { readonly type: 'progress' | 'completed'; readonly report: PlainReport }
  | { readonly type: 'failed' };

/** Watchers of jobs, from the queue's one stream of events. */
export class JobWatch {
  readonly #jobs: PlainJobs;
  readonly #news = new EventEmitter();

  constructor(jobs: PlainJobs, events: QueueEvents) {
    this.#jobs = jobs;
    this.#news.setMaxListeners(0);
    events.on('active', ({ jobId }) => this.#tell(jobId, { type: 'active' }));
    events.on('progress', ({ jobId, data }) =>
      this.#tell(jobId, { type: 'progress', report: data as unknown as PlainReport }),
    );
    events.on('completed', ({ jobId, returnvalue }) =>
      this.#tell(jobId, { type: 'completed', report: returnvalue as unknown as PlainReport }),
    );
    events.on('failed', ({ jobId }) => this.#tell(jobId, { type: 'failed' }));
  }

  #tell(jobId: string, news: News): void {
    this.#news.emit(jobId, news);
  }

  /** The job's state, then every change until it is final; null when there is no such job. */
  async open(jobId: string): Promise<AsyncGenerator<WatchEvent, void, void> | null> {
    // Before the row is read, so that nothing falls between the two.
    const inbox = new Inbox(this.#news, jobId);
    const job = await this.#jobs.find(jobId);
    if (job !== null) return this.#follow(job, inbox);
    inbox.close();
    return null;
  }

  async *#follow(first: PlainJob, inbox: Inbox): AsyncGenerator<WatchEvent, void, void> {
    try {
      let job = first;
      const stored = job.progress.segmentCount === 0 ? [] : await this.#jobs.segments(job.id, 0);
      let next = stored.length;
      yield { type: 'SNAPSHOT', job, newSegments: stored };
      while (!isFinal(job)) {
        const news = await inbox.take();
        const before = job.status;
        const newSegments: PlainSegment[] = [];
        for (const item of news) {
          job = advance(job, item);
          if (item.type !== 'progress') continue;
          const fresh = item.report.segments.filter(({ index }) => index === next + newSegments.length);
          newSegments.push(...fresh);
        }
        next += newSegments.length;
        // Reports from before the watcher came are in the database by now.
        if (job.status === 'COMPLETED' && next < job.progress.segmentCount) {
          newSegments.push(...(await this.#jobs.segments(job.id, next)));
        }
        yield { type: job.status === before ? 'PROGRESS' : 'STATUS', newSegments, job };
      }
    } finally {
      inbox.close();
    }
  }
}

const isFinal = ({ status }: PlainJob): boolean => status === 'COMPLETED' || status === 'FAILED';

function advance(job: PlainJob, news: News): PlainJob {
  if (isFinal(job)) return job;
  if (news.type === 'active') return { ...job, status: 'PROCESSING', revision: 2 };
  if (news.type === 'failed') return { ...job, status: 'FAILED', revision: 3 };
  const { processedMs, totalMs, segmentCount } = news.report;
  const progress = progressOf(processedMs, totalMs, segmentCount);
  if (news.type === 'progress') return { ...job, status: 'PROCESSING', revision: 2, progress };
  return { ...job, status: 'COMPLETED', revision: 3, progress };
}

/** What came for one watcher since it last looked. */
class Inbox {
  readonly #emitter: EventEmitter;
  readonly #jobId: string;
  #pending: News[] = [];
  #wake: (() => void) | null = null;

  constructor(emitter: EventEmitter, jobId: string) {
    this.#emitter = emitter;
    this.#jobId = jobId;
    emitter.on(jobId, this.#receive);
  }

  readonly #receive = (news: News): void => {
    this.#pending.push(news);
    this.#wake?.();
  };

  async take(): Promise<readonly News[]> {
    if (this.#pending.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    return this.#pending.splice(0);
  }

  close(): void {
    this.#emitter.off(this.#jobId, this.#receive);
  }
}
