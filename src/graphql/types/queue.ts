import { NotFoundError, ValidationError } from '../../domain/errors.ts';
import { isIdOf } from '../../domain/ids.ts';
import type { QueueView } from '../../domain/queue-view.ts';
import { builder } from '../builder.ts';
import { QueueStatsRef, StatsWindowEnum, windowMsOf } from './queue-stats.ts';

export const QueueRef = builder.objectRef<QueueView>('Queue');

builder.node(QueueRef, {
  description: 'Jobs of one engine that wait for its workers.',
  id: { resolve: (queue) => queue.id },
  isTypeOf: (value) => isIdOf('Queue', (value as QueueView).id),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The engine in lower case.' }),
    isPaused: t.exposeBoolean('isPaused', { description: 'Whether no new job starts.' }),
    pausedAt: t.expose('pausedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when it is paused.',
    }),
    pausedBy: t.exposeString('pausedBy', { nullable: true, description: 'Who paused it.' }),
    pauseReason: t.exposeString('pauseReason', { nullable: true, description: 'Why it is paused.' }),
    concurrency: t.exposeInt('concurrency', {
      description: 'Jobs that may run at once over all workers; 0 stops the queue.',
    }),
    stats: t.field({
      type: QueueStatsRef,
      description: 'How it is doing.',
      args: {
        window: t.arg({
          type: StatsWindowEnum,
          defaultValue: 'LAST_5_MINUTES',
          description: 'What rates are taken over.',
        }),
      },
      complexity: 5,
      resolve: async (queue, args, { api }) => {
        const window = args.window ?? 'LAST_5_MINUTES';
        return { stats: await api.queues.stats(queue.name, windowMsOf(window)), window };
      },
    }),
  }),
});

const QueuePayload = builder.objectRef<{ readonly queue: QueueView }>('QueuePayload').implement({
  description: 'The queue as it is now.',
  fields: (t) => ({ queue: t.expose('queue', { type: QueueRef, description: 'The queue.' }) }),
});

const QueueResult = builder.errorUnion('QueueResult', {
  description: 'What changing a queue gives back.',
  types: [QueuePayload, NotFoundError, ValidationError],
  resolveType: () => QueuePayload,
});

const PauseQueueInput = builder.inputType('PauseQueueInput', {
  description: 'Which queue to pause.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'The queue.' }),
    reason: t.string({ required: true, description: 'Why, for everybody else; 3 to 200 characters.' }),
  }),
});
const ResumeQueueInput = builder.inputType('ResumeQueueInput', {
  description: 'Which queue to resume.',
  fields: (t) => ({ name: t.string({ required: true, description: 'The queue.' }) }),
});
const SetQueueConcurrencyInput = builder.inputType('SetQueueConcurrencyInput', {
  description: 'How many jobs of a queue may run at once.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'The queue.' }),
    concurrency: t.int({ required: true, description: 'Jobs at once over all workers; 0 to 1000.' }),
  }),
});

builder.queryField('queues', (t) =>
  t.field({
    type: [QueueRef],
    nullable: true,
    description: 'Every queue; null while they cannot be told.',
    resolve: async (_root, _args, { api }) => [...(await api.queues.list())],
  }),
);

builder.mutationFields((t) => ({
  pauseQueue: t.field({
    type: QueueResult,
    nullable: true,
    description: 'Lets no new job of a queue start; those that run go on.',
    args: { input: t.arg({ type: PauseQueueInput, required: true, description: 'Which queue.' }) },
    resolve: async (_root, { input }, { api }) => ({
      queue: await api.queues.pause(input),
    }),
  }),
  resumeQueue: t.field({
    type: QueueResult,
    nullable: true,
    description: 'Lets jobs of a queue start again.',
    args: { input: t.arg({ type: ResumeQueueInput, required: true, description: 'Which queue.' }) },
    resolve: async (_root, { input }, { api }) => ({
      queue: await api.queues.resume(input),
    }),
  }),
  setQueueConcurrency: t.field({
    type: QueueResult,
    nullable: true,
    description: 'Bounds how many jobs of a queue run at once; those that run go on.',
    args: { input: t.arg({ type: SetQueueConcurrencyInput, required: true, description: 'The bound.' }) },
    resolve: async (_root, { input }, { api }) => ({
      queue: await api.queues.setConcurrency(input),
    }),
  }),
}));
