import type { QueueStatsView } from '../../domain/queue-view.ts';
import { builder } from '../builder.ts';

const WINDOW_MS = {
  LAST_MINUTE: 60_000,
  LAST_5_MINUTES: 5 * 60_000,
  LAST_HOUR: 3_600_000,
  LAST_DAY: 86_400_000,
} as const;
export type StatsWindow = keyof typeof WINDOW_MS;

export const StatsWindowEnum = builder.enumType('StatsWindow', {
  description: 'Time window of rates and percentiles.',
  values: {
    LAST_MINUTE: { description: 'The last minute.' },
    LAST_5_MINUTES: { description: 'The last five minutes.' },
    LAST_HOUR: { description: 'The last hour.' },
    LAST_DAY: { description: 'The last 24 hours.' },
  } as const satisfies Record<StatsWindow, { readonly description: string }>,
});

export interface QueueStatsResult {
  readonly stats: QueueStatsView;
  readonly window: StatsWindow;
}

export function windowMsOf(window: StatsWindow): number {
  return WINDOW_MS[window];
}

export const QueueStatsRef = builder.objectRef<QueueStatsResult>('QueueStats');

QueueStatsRef.implement({
  description: 'Statistics of one queue or of all queues.',
  fields: (t) => {
    const count = (key: NumberKey, description: string) =>
      t.int({ description, resolve: ({ stats }) => stats[key] });
    const rate = (key: NumberKey, description: string) =>
      t.float({ description, resolve: ({ stats }) => stats[key] });
    const milliseconds = (key: MillisecondsKey, description: string) =>
      t.int({ nullable: true, description, resolve: ({ stats }) => stats[key] });
    return {
      queue: t.string({
        nullable: true,
        description: 'Name of the queue; null for all queues together.',
        resolve: ({ stats }) => stats.queue,
      }),
      at: t.field({
        type: 'DateTime',
        description: 'Time of the statistics.',
        resolve: ({ stats }) => stats.at,
      }),
      window: t.expose('window', {
        type: StatsWindowEnum,
        description: 'Time window of rates and percentiles.',
      }),
      scheduled: count('scheduled', 'Number of scheduled jobs.'),
      queued: count('queued', 'Number of jobs that wait for a worker.'),
      processing: count('processing', 'Number of running jobs.'),
      retrying: count('retrying', 'Number of jobs that wait for their next attempt.'),
      deadLettered: count('deadLettered', 'Number of dead letters.'),
      completed: count('completed', 'Number of jobs completed in the window.'),
      failed: count('failed', 'Number of jobs failed in the window.'),
      failureRate: rate('failureRate', 'Failed share of the jobs completed or failed in the window, 0 to 1.'),
      oldestQueuedAt: t.field({
        type: 'DateTime',
        nullable: true,
        description: 'Time since which the oldest waiting job has been queued; null when none waits.',
        resolve: ({ stats }) => stats.oldestQueuedAt,
      }),
      waitMsP50: milliseconds('waitMsP50', 'Median waiting time in milliseconds.'),
      waitMsP95: milliseconds('waitMsP95', '95th percentile of the waiting time in milliseconds.'),
      runMsP50: milliseconds('runMsP50', 'Median run time in milliseconds.'),
      runMsP95: milliseconds('runMsP95', '95th percentile of the run time in milliseconds.'),
      jobsPerMinute: rate('jobsPerMinute', 'Jobs completed per minute.'),
      audioSecondsPerSecond: rate('audioSecondsPerSecond', 'Seconds of audio transcribed per second.'),
      workersOnline: count('workersOnline', 'Number of workers that are online.'),
      workersBusy: count('workersBusy', 'Number of workers that run at least one job.'),
      engineAvailable: t.boolean({
        description: 'False while all workers report that the engine is unavailable.',
        resolve: ({ stats }) => stats.engineAvailable,
      }),
    };
  },
});

type KeysOf<Value> = {
  [Key in keyof QueueStatsView]: QueueStatsView[Key] extends Value ? Key : never;
}[keyof QueueStatsView];
type NumberKey = KeysOf<number>;
type MillisecondsKey = Extract<KeysOf<number | null>, `${string}Ms${string}`>;

builder.queryField('queueStats', (t) =>
  t.field({
    type: QueueStatsRef,
    nullable: true,
    description: 'Statistics of one queue or of all queues; null when they cannot be read.',
    args: {
      queue: t.arg.string({ description: 'Name of the queue; all queues when omitted.' }),
      window: t.arg({
        type: StatsWindowEnum,
        defaultValue: 'LAST_5_MINUTES',
        description: 'Time window of rates and percentiles.',
      }),
    },
    complexity: 5,
    resolve: async (_root, args, { api }) => {
      const window = args.window ?? 'LAST_5_MINUTES';
      return { stats: await api.queues.stats(args.queue ?? null, windowMsOf(window)), window };
    },
  }),
);
