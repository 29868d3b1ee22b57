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
  description: 'Over what time rates and waiting times are taken.',
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
  description: 'How a queue, or all of them, is doing.',
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
        description: 'The queue; null for all of them together.',
        resolve: ({ stats }) => stats.queue,
      }),
      at: t.field({
        type: 'DateTime',
        description: 'When this was taken.',
        resolve: ({ stats }) => stats.at,
      }),
      window: t.expose('window', { type: StatsWindowEnum, description: 'What the rates are over.' }),
      scheduled: count('scheduled', 'Jobs waiting for their time.'),
      queued: count('queued', 'Jobs waiting for a worker.'),
      processing: count('processing', 'Jobs that workers have.'),
      retrying: count('retrying', 'Jobs waiting for their next attempt.'),
      deadLettered: count('deadLettered', 'Jobs that gave up and were not discarded.'),
      completed: count('completed', 'Jobs completed within the window.'),
      failed: count('failed', 'Jobs failed within the window.'),
      failureRate: rate('failureRate', 'Failed among those that ended within the window, 0 to 1.'),
      oldestQueuedAt: t.field({
        type: 'DateTime',
        nullable: true,
        description: 'Since when the longest waiting job waits; null when none does.',
        resolve: ({ stats }) => stats.oldestQueuedAt,
      }),
      waitMsP50: milliseconds('waitMsP50', 'Half of the jobs waited at most this many milliseconds.'),
      waitMsP95: milliseconds('waitMsP95', '95 % of the jobs waited at most this many milliseconds.'),
      runMsP50: milliseconds('runMsP50', 'Half of the jobs ran at most this many milliseconds.'),
      runMsP95: milliseconds('runMsP95', '95 % of the jobs ran at most this many milliseconds.'),
      jobsPerMinute: rate('jobsPerMinute', 'Jobs ended a minute.'),
      audioSecondsPerSecond: rate('audioSecondsPerSecond', 'Seconds of audio done a second.'),
      workersOnline: count('workersOnline', 'Workers heard of lately.'),
      workersBusy: count('workersBusy', 'Workers that have a job.'),
      engineAvailable: t.boolean({
        description: 'False while every worker says that its engine cannot be reached.',
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
    description: 'Depth, throughput and waiting times; null while they cannot be told.',
    args: {
      queue: t.arg.string({ description: 'One queue; all of them when left out.' }),
      window: t.arg({
        type: StatsWindowEnum,
        defaultValue: 'LAST_5_MINUTES',
        description: 'What rates are taken over.',
      }),
    },
    complexity: 5,
    resolve: async (_root, args, { api }) => {
      const window = args.window ?? 'LAST_5_MINUTES';
      return { stats: await api.queues.stats(args.queue ?? null, windowMsOf(window)), window };
    },
  }),
);
