import { type BulkJobsView, DEFAULT_BULK_LIMIT } from '../../app/dead-letters.ts';
import { ConfirmationError, UserError, ValidationError } from '../../domain/errors.ts';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '../../domain/job-list.ts';
import type { FailureGroupView } from '../../domain/job-view.ts';
import { builder } from '../builder.ts';
import { costOfPage } from '../limits.ts';
import { JobConnectionRef } from './job-connection.ts';
import { FailureKindEnum } from './job-enums.ts';
import { JobFilterInput } from './job-filter.ts';
import { UserErrorRef } from './user-error.ts';

const MAX_GROUPS = 50;

const FailureGroupRef = builder.objectRef<FailureGroupView>('FailureGroup').implement({
  description: 'Failures with the same cause.',
  fields: (t) => ({
    fingerprint: t.exposeString('fingerprint', { description: 'Stable id of the cause.' }),
    kind: t.expose('kind', { type: FailureKindEnum, description: 'What kind of thing went wrong.' }),
    message: t.exposeString('message', { description: 'The message of one of them.' }),
    count: t.exposeInt('count', { description: 'How many jobs.' }),
    firstSeenAt: t.expose('firstSeenAt', { type: 'DateTime', description: 'The first of them.' }),
    lastSeenAt: t.expose('lastSeenAt', { type: 'DateTime', description: 'The last of them.' }),
    sampleJobIds: t.field({
      type: ['ID'],
      description: 'A few of the jobs.',
      resolve: (group) => [...group.sampleJobIds],
    }),
  }),
});

const BulkJobFailureRef = builder
  .objectRef<{ readonly id: string; readonly error: UserError }>('BulkJobFailure')
  .implement({
    description: 'A job that could not be changed.',
    fields: (t) => ({
      id: t.exposeID('id', { description: 'The job.' }),
      error: t.expose('error', { type: UserErrorRef, description: 'Why.' }),
    }),
  });

const BulkJobsPayload = builder.objectRef<BulkJobsView>('BulkJobsPayload').implement({
  description: 'What was done to the jobs that match.',
  fields: (t) => ({
    matched: t.exposeInt('matched', { description: 'Jobs that match the filter.' }),
    changed: t.exposeInt('changed', { description: 'Jobs that were changed; none by a dry run.' }),
    skipped: t.exposeInt('skipped', { description: 'Jobs left alone because of `limit` or their status.' }),
    dryRun: t.exposeBoolean('dryRun', { description: 'True when nothing was changed on purpose.' }),
    failures: t.field({
      type: [BulkJobFailureRef],
      description: 'Jobs that could not be changed.',
      resolve: ({ failures }) =>
        failures.map(({ id, error }) => {
          if (error instanceof UserError) return { id, error };
          throw error;
        }),
    }),
  }),
});

const BulkJobsResult = builder.errorUnion('BulkJobsResult', {
  description: 'What acting on many jobs gives back.',
  types: [BulkJobsPayload, ValidationError, ConfirmationError],
  resolveType: () => BulkJobsPayload,
});

const BulkJobsInputRef = builder.inputType('BulkJobsInput', {
  description: 'Acts on everything the filter matches, not on one page.',
  fields: (t) => ({
    filter: t.field({ type: JobFilterInput, required: true, description: 'Which jobs.' }),
    dryRun: t.boolean({ defaultValue: false, description: 'Count only, change nothing.' }),
    expectedCount: t.int({ description: 'Refused when the match count differs.' }),
    limit: t.int({ defaultValue: DEFAULT_BULK_LIMIT, description: 'At most this many; 1 to 10 000.' }),
  }),
});

builder.queryFields((t) => ({
  deadLetters: t.field({
    type: JobConnectionRef,
    description: 'Jobs that gave up, the latest first.',
    args: {
      filter: t.arg({ type: JobFilterInput, description: 'Which ones; all when left out.' }),
      first: t.arg.int({ defaultValue: DEFAULT_PAGE_SIZE, description: 'How many; 1 to 100.' }),
      after: t.arg.string({ description: 'Only those after this cursor.' }),
    },
    complexity: ({ first }) => costOfPage(first ?? DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE),
    resolve: async (_root, args, { api }) => ({
      page: await api.deadLetters.list(args),
      filter: { ...args.filter, deadLettered: true },
    }),
  }),
  failureGroups: t.field({
    type: [FailureGroupRef],
    description: 'Failures grouped by normalised cause, most frequent first.',
    args: {
      filter: t.arg({ type: JobFilterInput, description: 'Of which jobs; all when left out.' }),
      first: t.arg.int({ defaultValue: DEFAULT_PAGE_SIZE, description: 'How many; 1 to 50.' }),
    },
    complexity: ({ first }) => costOfPage(first ?? DEFAULT_PAGE_SIZE, MAX_GROUPS),
    resolve: async (_root, args, { api }) => [...(await api.deadLetters.groups(args))],
  }),
}));

builder.mutationFields((t) => ({
  requeueDeadLetters: t.field({
    type: BulkJobsResult,
    nullable: true,
    description: 'Runs jobs that gave up again, each under its own id.',
    args: { input: t.arg({ type: BulkJobsInputRef, required: true, description: 'Which jobs.' }) },
    resolve: (_root, { input }, { api }) => api.deadLetters.requeue(input),
  }),
  discardDeadLetters: t.field({
    type: BulkJobsResult,
    nullable: true,
    description: 'Takes jobs that gave up off the list; they stay FAILED and readable.',
    args: { input: t.arg({ type: BulkJobsInputRef, required: true, description: 'Which jobs.' }) },
    resolve: (_root, { input }, { api }) => api.deadLetters.discard(input),
  }),
}));
