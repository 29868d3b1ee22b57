import type { WorkerAnnouncement } from '../contract/messages.ts';
import type { QueueStatsView } from '../domain/queue-view.ts';
import { engineOf, type QueueName, queueOf } from '../domain/vocabulary.ts';
import type { Logger } from '../observability/logger.ts';
import type { ModelStore } from '../storage/model-store.ts';

/** Workers announce themselves every 5 s; one that misses three announcements counts as gone. */
const GONE_AFTER_MS = 16_000;
/** Models of online workers are stored again this often. */
const REMEMBER_MODELS_MS = 3_600_000;
/** Above, the workers that announced themselves least recently are dropped. */
const MAX_WORKERS = 10_000;

interface Entry {
  readonly announcement: WorkerAnnouncement;
  readonly seenAt: number;
}

type WorkersSummary = Pick<QueueStatsView, 'workersOnline' | 'workersBusy' | 'engineAvailable'>;

/** Online workers, by their announcements. Each server process has its own registry. */
export class WorkerRegistry {
  readonly #workers = new Map<string, Entry>();
  readonly #remembered = new Map<string, number>();
  readonly #models: ModelStore;
  readonly #log: Logger;
  readonly #now: () => number;
  /** Time of the last announcement by a worker of a queue. */
  readonly #lastSeen = new Map<QueueName, number>();
  readonly #since: number;
  #onArrival: (queue: QueueName) => void = () => undefined;

  constructor(models: ModelStore, log: Logger, now: () => number = Date.now) {
    this.#models = models;
    this.#log = log;
    this.#now = now;
    this.#since = now();
  }

  /** Called when a worker appears, has more slots than before, or its engine becomes available or unavailable. */
  onArrival(listener: (queue: QueueName) => void): void {
    this.#onArrival = listener;
  }

  receive(announcement: WorkerAnnouncement): void {
    const known = this.#workers.get(announcement.workerId);
    const queue = queueOf(announcement.engine);
    this.#workers.delete(announcement.workerId);
    this.#workers.set(announcement.workerId, { announcement, seenAt: this.#now() });
    if (this.#workers.size > MAX_WORKERS) this.#dropOldest();
    this.#lastSeen.set(queue, this.#now());
    const isBack = known?.announcement.engineAvailable !== announcement.engineAvailable;
    if (known === undefined || isBack || known.announcement.slots < announcement.slots)
      this.#onArrival(queue);
    this.#remember(announcement);
  }

  #dropOldest(): void {
    const [oldest] = this.#workers.keys();
    if (oldest !== undefined) this.#workers.delete(oldest);
  }

  #remember(announcement: WorkerAnnouncement): void {
    const { engine, models } = announcement;
    const key = JSON.stringify([engine, models]);
    const now = this.#now();
    if ((this.#remembered.get(key) ?? 0) > now - REMEMBER_MODELS_MS) return;
    this.#remembered.set(key, now);
    const seen = models.map((model) => ({ ...model, engine }));
    this.#models.seen(seen, new Date(now)).catch((err: unknown) => {
      this.#remembered.delete(key); // The next announcement tries again.
      this.#log.warn({ err, engine }, 'failed to store the models of a worker');
    });
  }

  /** Online workers of a queue, or of all queues. */
  live(queue: QueueName | null): readonly WorkerAnnouncement[] {
    const since = this.#now() - GONE_AFTER_MS;
    const live: WorkerAnnouncement[] = [];
    for (const [id, { announcement, seenAt }] of this.#workers) {
      if (seenAt < since) this.#workers.delete(id);
      else if (queue === null || announcement.engine === engineOf(queue)) live.push(announcement);
    }
    return live;
  }

  summary(queue: QueueName | null): WorkersSummary {
    const workers = this.live(queue);
    return {
      workersOnline: workers.length,
      workersBusy: workers.filter((worker) => worker.busy > 0).length,
      engineAvailable: workers.length === 0 || workers.some((worker) => worker.engineAvailable),
    };
  }

  /** Slots of the workers that accept jobs. */
  slots(queue: QueueName): number {
    return this.live(queue)
      .filter((worker) => worker.status !== 'DRAINING' && worker.engineAvailable)
      .reduce((sum, worker) => sum + worker.slots, 0);
  }

  /**
   * Whether jobs of the queue should go to their next engine: all its workers report the engine as unavailable (an open
   * circuit breaker), or no worker has announced itself for `absentMs`.
   */
  isOut(queue: QueueName, absentMs: number): boolean {
    const workers = this.live(queue);
    if (workers.length > 0) return workers.every((worker) => !worker.engineAvailable);
    return this.#now() - (this.#lastSeen.get(queue) ?? this.#since) >= absentMs;
  }
}
