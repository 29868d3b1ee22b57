import type { BulkJobsInput, BulkJobsView } from '../../app/dead-letters.ts';
import { ConfirmationError, UserError, ValidationError } from '../../domain/errors.ts';
import type { FailureGroupView } from '../../domain/job-view.ts';
import { checkRange, DEFAULT_PAGE, MAX_PAGE, pageRequestOf } from '../arguments.ts';
import { builder } from '../builder.ts';
import { costOfPage } from '../limits.ts';
import { JobConnectionRef } from './job-connection.ts';
import { FailureKindEnum } from './job-enums.ts';
import { JobFilterInput } from './job-filter.ts';
import { UserErrorRef } from './user-error.ts';

const MAX_GROUPS = 50;
const MAX_BULK = 10_000;
const DEFAULT_BULK = 1000;

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
    limit: t.int({ defaultValue: DEFAULT_BULK, description: 'At most this many; 1 to 10 000.' }),
  }),
});

function checked(input: BulkJobsInput): BulkJobsInput {
  return { ...input, limit: checkRange(['input', 'limit'], input.limit ?? DEFAULT_BULK, 1, MAX_BULK) };
}

builder.queryFields((t) => ({
  deadLetters: t.field({
    type: JobConnectionRef,
    description: 'Jobs that gave up, the latest first.',
    args: {
      filter: t.arg({ type: JobFilterInput, description: 'Which ones; all when left out.' }),
      first: t.arg.int({ defaultValue: DEFAULT_PAGE, description: 'How many; 1 to 100.' }),
      after: t.arg.string({ description: 'Only those after this cursor.' }),
    },
    complexity: ({ first }) => costOfPage(first ?? DEFAULT_PAGE, MAX_PAGE),
    resolve: async (_root, { filter, ...page }, { app, principal }) => {
      const query = {
        filter: { ...filter, deadLettered: true },
        orderBy: { field: 'FINISHED_AT', direction: 'DESC' } as const,
        ...pageRequestOf(page),
      };
      return { page: await app.deadLetters(principal, query), filter: query.filter };
    },
  }),
  failureGroups: t.field({
    type: [FailureGroupRef],
    description: 'Failures grouped by normalised cause, most frequent first.',
    args: {
      filter: t.arg({ type: JobFilterInput, description: 'Of which jobs; all when left out.' }),
      first: t.arg.int({ defaultValue: DEFAULT_PAGE, description: 'How many; 1 to 50.' }),
    },
    complexity: ({ first }) => costOfPage(first ?? DEFAULT_PAGE, MAX_GROUPS),
    resolve: async (_root, { filter, first }, { app, principal }) => {
      const count = checkRange(['first'], first ?? DEFAULT_PAGE, 1, MAX_GROUPS);
      return [...(await app.failureGroups(principal, filter ?? {}, count))];
    },
  }),
}));

builder.mutationFields((t) => ({
  requeueDeadLetters: t.field({
    type: BulkJobsResult,
    nullable: true,
    description: 'Runs jobs that gave up again, each under its own id.',
    args: { input: t.arg({ type: BulkJobsInputRef, required: true, description: 'Which jobs.' }) },
    resolve: (_root, { input }, { app, principal }) => app.requeueDeadLetters(principal, checked(input)),
  }),
  discardDeadLetters: t.field({
    type: BulkJobsResult,
    nullable: true,
    description: 'Takes jobs that gave up off the list; they stay FAILED and readable.',
    args: { input: t.arg({ type: BulkJobsInputRef, required: true, description: 'Which jobs.' }) },
    resolve: (_root, { input }, { app, principal }) => app.discardDeadLetters(principal, checked(input)),
  }),
}));
