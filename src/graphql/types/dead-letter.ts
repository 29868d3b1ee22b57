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
  description: 'Failed jobs with the same cause.',
  fields: (t) => ({
    fingerprint: t.exposeString('fingerprint', { description: 'Stable id of the cause.' }),
    kind: t.expose('kind', { type: FailureKindEnum, description: 'Category of the failure.' }),
    message: t.exposeString('message', { description: 'Message of one of the failures.' }),
    count: t.exposeInt('count', { description: 'Number of jobs.' }),
    firstSeenAt: t.expose('firstSeenAt', { type: 'DateTime', description: 'Time of the first failure.' }),
    lastSeenAt: t.expose('lastSeenAt', { type: 'DateTime', description: 'Time of the last failure.' }),
    sampleJobIds: t.field({
      type: ['ID'],
      description: 'Ids of up to five of the jobs, the latest first.',
      resolve: (group) => [...group.sampleJobIds],
    }),
  }),
});

const BulkJobFailureRef = builder
  .objectRef<{ readonly id: string; readonly error: UserError }>('BulkJobFailure')
  .implement({
    description: 'A job that could not be changed.',
    fields: (t) => ({
      id: t.exposeID('id', { description: 'Id of the job.' }),
      error: t.expose('error', { type: UserErrorRef, description: 'Error.' }),
    }),
  });

const BulkJobsPayload = builder.objectRef<BulkJobsView>('BulkJobsPayload').implement({
  description: 'Result of a bulk operation.',
  fields: (t) => ({
    matched: t.exposeInt('matched', { description: 'Number of jobs that match the filter.' }),
    changed: t.exposeInt('changed', { description: 'Number of jobs that were changed; 0 in a dry run.' }),
    skipped: t.exposeInt('skipped', {
      description: 'Number of jobs that were not changed because of `limit` or their status.',
    }),
    dryRun: t.exposeBoolean('dryRun', { description: 'Whether this was a dry run.' }),
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
  description: 'Result of a bulk operation.',
  types: [BulkJobsPayload, ValidationError, ConfirmationError],
  resolveType: () => BulkJobsPayload,
});

const BulkJobsInputRef = builder.inputType('BulkJobsInput', {
  description: 'Input of a bulk operation on all jobs that match a filter.',
  fields: (t) => ({
    filter: t.field({ type: JobFilterInput, required: true, description: 'Filter.' }),
    dryRun: t.boolean({
      defaultValue: false,
      description: 'Whether to count the jobs without changing them.',
    }),
    expectedCount: t.int({
      description: 'Fails with ConfirmationError when the number of matching jobs differs.',
    }),
    limit: t.int({
      defaultValue: DEFAULT_BULK_LIMIT,
      description: 'Maximum number of jobs to change; 1 to 10,000.',
    }),
  }),
});

builder.queryFields((t) => ({
  deadLetters: t.field({
    type: JobConnectionRef,
    description: 'A page of dead letters (jobs that failed after all of their attempts), the latest first.',
    args: {
      filter: t.arg({ type: JobFilterInput, description: 'Filter; all dead letters when omitted.' }),
      first: t.arg.int({ defaultValue: DEFAULT_PAGE_SIZE, description: 'Page size; 1 to 100.' }),
      after: t.arg.string({ description: 'Only jobs after this cursor.' }),
    },
    complexity: ({ first }) => costOfPage(first ?? DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE),
    resolve: async (_root, args, { api }) => ({
      page: await api.deadLetters.list(args),
      filter: { ...args.filter, deadLettered: true },
    }),
  }),
  failureGroups: t.field({
    type: [FailureGroupRef],
    description: 'Failed jobs grouped by cause, the most frequent first.',
    args: {
      filter: t.arg({ type: JobFilterInput, description: 'Filter; all jobs when omitted.' }),
      first: t.arg.int({ defaultValue: DEFAULT_PAGE_SIZE, description: 'Number of groups; 1 to 50.' }),
    },
    complexity: ({ first }) => costOfPage(first ?? DEFAULT_PAGE_SIZE, MAX_GROUPS),
    resolve: async (_root, args, { api }) => [...(await api.deadLetters.groups(args))],
  }),
}));

builder.mutationFields((t) => ({
  requeueDeadLetters: t.field({
    type: BulkJobsResult,
    nullable: true,
    description: 'Runs dead letters again, each under its own id.',
    args: { input: t.arg({ type: BulkJobsInputRef, required: true, description: 'The jobs.' }) },
    resolve: (_root, { input }, { api }) => api.deadLetters.requeue(input),
  }),
  discardDeadLetters: t.field({
    type: BulkJobsResult,
    nullable: true,
    description: 'Removes dead letters from the list; the jobs stay FAILED and readable.',
    args: { input: t.arg({ type: BulkJobsInputRef, required: true, description: 'The jobs.' }) },
    resolve: (_root, { input }, { api }) => api.deadLetters.discard(input),
  }),
}));
