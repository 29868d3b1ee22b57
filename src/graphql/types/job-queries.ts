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
    description: "One job; null when absent or another tenant's.",
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (_root, { id }, { loaders }) => (isIdOf('Job', id) ? loaders.job.load(id) : null),
  }),
  jobByExternalId: t.field({
    type: JobRef,
    nullable: true,
    description: 'The job that you gave this id; null when there is none.',
    args: { externalId: t.arg.string({ required: true, description: 'Your own id for it.' }) },
    resolve: (_root, { externalId }, { api }) => api.jobs.findByExternalId(externalId),
  }),
  jobs: t.field({
    type: JobConnectionRef,
    description: 'Your jobs, a page at a time.',
    args: {
      filter: t.arg({ type: JobFilterInput, description: 'Which ones; all when left out.' }),
      orderBy: t.arg({
        type: JobOrderInput,
        defaultValue: { field: 'SUBMITTED_AT', direction: 'DESC' },
        description: 'In which order.',
      }),
      first: t.arg.int({
        defaultValue: DEFAULT_PAGE_SIZE,
        description: 'How many from the start; 1 to 100.',
      }),
      after: t.arg.string({ description: 'Only those after this cursor.' }),
      last: t.arg.int({ description: 'How many from the end, instead of `first`; 1 to 100.' }),
      before: t.arg.string({ description: 'Only those before this cursor.' }),
    },
    complexity: ({ first, last }) => costOfPage(last ?? first ?? DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE),
    resolve: async (_root, args, { api }) => ({
      page: await api.jobs.list(args),
      filter: args.filter ?? {},
    }),
  }),
}));
