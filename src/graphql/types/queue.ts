import { NotFoundError, ValidationError } from '../../domain/errors.ts';
import { isIdOf } from '../../domain/ids.ts';
import type { QueueView } from '../../domain/queue-view.ts';
import { builder } from '../builder.ts';
import { QueueStatsRef, StatsWindowEnum, windowMsOf } from './queue-stats.ts';

const QueueRef = builder.objectRef<QueueView>('Queue');

builder.node(QueueRef, {
  description: 'Queue of the jobs of one engine.',
  id: { resolve: (queue) => queue.id },
  isTypeOf: (value) => isIdOf('Queue', (value as QueueView).id),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name of the engine in lower case.' }),
    isPaused: t.exposeBoolean('isPaused', {
      description: 'Whether the queue is paused, so that no new jobs start.',
    }),
    pausedAt: t.expose('pausedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Time at which it was paused; null unless paused.',
    }),
    pausedBy: t.exposeString('pausedBy', {
      nullable: true,
      description: 'Caller that paused it; null unless paused.',
    }),
    pauseReason: t.exposeString('pauseReason', {
      nullable: true,
      description: 'Reason for the pause; null unless paused.',
    }),
    concurrency: t.exposeInt('concurrency', {
      description: 'Maximum number of jobs that run at the same time on all workers; 0 stops the queue.',
    }),
    stats: t.field({
      type: QueueStatsRef,
      description: 'Statistics.',
      args: {
        window: t.arg({
          type: StatsWindowEnum,
          defaultValue: 'LAST_5_MINUTES',
          description: 'Time window of rates and percentiles.',
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
  description: 'The changed queue.',
  fields: (t) => ({ queue: t.expose('queue', { type: QueueRef, description: 'The queue.' }) }),
});

const QueueResult = builder.errorUnion('QueueResult', {
  description: 'Result of changing a queue.',
  types: [QueuePayload, NotFoundError, ValidationError],
  resolveType: () => QueuePayload,
});

const PauseQueueInput = builder.inputType('PauseQueueInput', {
  description: 'Input of `pauseQueue`.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Name of the queue.' }),
    reason: t.string({ required: true, description: 'Reason, shown to other users; 3 to 200 characters.' }),
  }),
});
const ResumeQueueInput = builder.inputType('ResumeQueueInput', {
  description: 'Input of `resumeQueue`.',
  fields: (t) => ({ name: t.string({ required: true, description: 'Name of the queue.' }) }),
});
const SetQueueConcurrencyInput = builder.inputType('SetQueueConcurrencyInput', {
  description: 'Input of `setQueueConcurrency`.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Name of the queue.' }),
    concurrency: t.int({
      required: true,
      description: 'Maximum number of jobs that run at the same time on all workers; 0 to 1000.',
    }),
  }),
});

builder.queryField('queues', (t) =>
  t.field({
    type: [QueueRef],
    nullable: true,
    description: 'All queues; null when they cannot be read.',
    resolve: async (_root, _args, { api }) => [...(await api.queues.list())],
  }),
);

builder.mutationFields((t) => ({
  pauseQueue: t.field({
    type: QueueResult,
    nullable: true,
    description: 'Pauses a queue: no new jobs start; running jobs continue.',
    args: { input: t.arg({ type: PauseQueueInput, required: true, description: 'The queue.' }) },
    resolve: async (_root, { input }, { api }) => ({
      queue: await api.queues.pause(input),
    }),
  }),
  resumeQueue: t.field({
    type: QueueResult,
    nullable: true,
    description: 'Resumes a paused queue.',
    args: { input: t.arg({ type: ResumeQueueInput, required: true, description: 'The queue.' }) },
    resolve: async (_root, { input }, { api }) => ({
      queue: await api.queues.resume(input),
    }),
  }),
  setQueueConcurrency: t.field({
    type: QueueResult,
    nullable: true,
    description: 'Limits how many jobs of a queue run at the same time; running jobs continue.',
    args: {
      input: t.arg({
        type: SetQueueConcurrencyInput,
        required: true,
        description: 'The queue and its limit.',
      }),
    },
    resolve: async (_root, { input }, { api }) => ({
      queue: await api.queues.setConcurrency(input),
    }),
  }),
}));
