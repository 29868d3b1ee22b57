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
  description: 'Range of timestamps; bounds are combined with AND.',
  fields: (t) => ({
    gte: t.field({ type: 'DateTime', description: 'At or after.' }),
    gt: t.field({ type: 'DateTime', description: 'After.' }),
    lte: t.field({ type: 'DateTime', description: 'At or before.' }),
    lt: t.field({ type: 'DateTime', description: 'Before.' }),
  }),
});

export const JobFilterInput = builder.inputType('JobFilter', {
  description: 'Filter for jobs. A list matches any of its values; fields are combined with AND.',
  fields: (t) => ({
    status: t.field({ type: [JobStatusEnum], description: 'Has one of these statuses.' }),
    queue: t.stringList({ description: 'Is in one of these queues.' }),
    priority: t.field({ type: [JobPriorityEnum], description: 'Has one of these priorities.' }),
    model: t.stringList({ description: 'Requested one of these models.' }),
    language: t.field({
      type: ['LanguageTag'],
      description: 'Has one of these languages, requested or detected.',
    }),
    tags: t.stringList({ description: 'Has one of these tags.' }),
    externalId: t.stringList({ description: 'Has one of these external ids.' }),
    engine: t.field({ type: [EngineEnum], description: 'May run on one of these engines.' }),
    failureKind: t.field({
      type: [FailureKindEnum],
      description: 'Failed with one of these kinds of failure.',
    }),
    deadLettered: t.boolean({
      description: 'Whether the job is a dead letter: failed after all of its attempts.',
    }),
    workerId: t.id({ description: 'Last ran on this worker.' }),
    submittedAt: t.field({ type: DateTimeFilterInput, description: 'Was submitted in this range.' }),
    finishedAt: t.field({ type: DateTimeFilterInput, description: 'Became final in this range.' }),
    search: t.string({
      description: 'Prefix of the id, external id, filename or a tag; 3 to 100 characters.',
    }),
  }),
});

export const JobOrderInput = builder.inputType('JobOrder', {
  description: 'Sort order of jobs.',
  fields: (t) => ({
    field: t.field({ type: JobOrderFieldEnum, required: true, description: 'Field to sort by.' }),
    direction: t.field({
      type: OrderDirectionEnum,
      required: true,
      defaultValue: 'DESC',
      description: 'Sort direction.',
    }),
  }),
});
