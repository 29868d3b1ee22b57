import { builder } from '../builder.ts';
import {
  EngineEnum,
  FailureKindEnum,
  JobOrderFieldEnum,
  JobPriorityEnum,
  JobStatusEnum,
  OrderDirectionEnum,
} from './job-enums.ts';

const DateTimeFilterInput = builder.inputType('DateTimeFilter', {
  description: 'Range over a timestamp; bounds are combined with AND.',
  fields: (t) => ({
    gte: t.field({ type: 'DateTime', description: 'At or after.' }),
    gt: t.field({ type: 'DateTime', description: 'After.' }),
    lte: t.field({ type: 'DateTime', description: 'At or before.' }),
    lt: t.field({ type: 'DateTime', description: 'Before.' }),
  }),
});

export const JobFilterInput = builder.inputType('JobFilter', {
  description: 'Lists mean any of; fields are combined with AND.',
  fields: (t) => ({
    status: t.field({ type: [JobStatusEnum], description: 'In one of these statuses.' }),
    queue: t.stringList({ description: 'In one of these queues.' }),
    priority: t.field({ type: [JobPriorityEnum], description: 'Of one of these priorities.' }),
    model: t.stringList({ description: 'Asked for one of these models.' }),
    language: t.field({ type: ['LanguageTag'], description: 'In one of these languages.' }),
    tags: t.stringList({ description: 'With one of these tags.' }),
    externalId: t.stringList({ description: 'With one of these ids of yours.' }),
    engine: t.field({ type: [EngineEnum], description: 'May run on one of these engines.' }),
    failureKind: t.field({
      type: [FailureKindEnum],
      description: 'Failed for one of these kinds of reason.',
    }),
    deadLettered: t.boolean({ description: 'Whether it gave up after its retries.' }),
    workerId: t.id({ description: 'Run by this worker.' }),
    submittedAt: t.field({ type: DateTimeFilterInput, description: 'Submitted within this range.' }),
    finishedAt: t.field({ type: DateTimeFilterInput, description: 'Became final within this range.' }),
    search: t.string({
      description: 'Matches id, externalId, filename and tags by prefix; 3 to 100 characters.',
    }),
  }),
});

export const JobOrderInput = builder.inputType('JobOrder', {
  description: 'How jobs are sorted.',
  fields: (t) => ({
    field: t.field({ type: JobOrderFieldEnum, required: true, description: 'What they are sorted by.' }),
    direction: t.field({
      type: OrderDirectionEnum,
      required: true,
      defaultValue: 'DESC',
      description: 'Which way.',
    }),
  }),
});
