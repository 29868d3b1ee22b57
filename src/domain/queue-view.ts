import type { Engine, QueueName } from './vocabulary.ts';
export interface ModelView {
  readonly name: string;
  readonly engine: Engine;
  readonly languages: readonly string[];
  readonly isDefault: boolean;
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
