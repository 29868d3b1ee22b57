import { isIdOf } from '../../domain/ids.ts';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '../../domain/job-list.ts';
import { builder } from '../builder.ts';
import { costOfPage } from '../limits.ts';
import { JobRef } from './job.ts';
import { JobConnectionRef } from './job-connection.ts';
import { JobFilterInput, JobOrderInput } from './job-filter.ts';

builder.queryFields((t) => ({
  job: t.field({
    type: JobRef,
    nullable: true,
    description: 'A job by its id; null when there is none.',
    args: { id: t.arg.id({ required: true, description: 'Id of the job.' }) },
    resolve: (_root, { id }, { loaders }) => (isIdOf('Job', id) ? loaders.job.load(id) : null),
  }),
  jobByExternalId: t.field({
    type: JobRef,
    nullable: true,
    description: 'A job by your own id; null when there is none.',
    args: { externalId: t.arg.string({ required: true, description: 'The `externalId` of the job.' }) },
    resolve: (_root, { externalId }, { api }) => api.jobs.findByExternalId(externalId),
  }),
  jobs: t.field({
    type: JobConnectionRef,
    description: 'A page of your jobs.',
    args: {
      filter: t.arg({ type: JobFilterInput, description: 'Filter; all jobs when omitted.' }),
      orderBy: t.arg({
        type: JobOrderInput,
        defaultValue: { field: 'SUBMITTED_AT', direction: 'DESC' },
        description: 'Sort order.',
      }),
      first: t.arg.int({
        defaultValue: DEFAULT_PAGE_SIZE,
        description: 'Page size, from the start; 1 to 100.',
      }),
      after: t.arg.string({ description: 'Only jobs after this cursor.' }),
      last: t.arg.int({ description: 'Page size, from the end, instead of `first`; 1 to 100.' }),
      before: t.arg.string({ description: 'Only jobs before this cursor.' }),
    },
    complexity: ({ first, last }) => costOfPage(last ?? first ?? DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE),
    resolve: async (_root, args, { api }) => ({
      page: await api.jobs.list(args),
      filter: args.filter ?? {},
    }),
  }),
}));
