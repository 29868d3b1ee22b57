import type { JobFilter, Page } from '../../domain/job-list.ts';
import type { JobView } from '../../domain/job-view.ts';
import { builder } from '../builder.ts';
import { COUNTED_BY_PAGE } from '../limits.ts';
import { JobRef } from './job.ts';
import { JobStatusEnum } from './job-enums.ts';

const COUNT_COST = 10;

export interface JobPage {
  readonly page: Page<JobView>;
  /** What the counts are over. */
  readonly filter: JobFilter;
}

const JobEdgeRef = builder.objectRef<Page<JobView>['edges'][number]>('JobEdge').implement({
  description: 'A job and its cursor.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: 'Opaque; pass as `after` or `before`.' }),
    node: t.expose('node', { type: JobRef, description: 'The job.' }),
  }),
});

const JobStatusCountRef = builder
  .objectRef<{ readonly status: JobView['status']; readonly count: number }>('JobStatusCount')
  .implement({
    description: 'How many jobs are in a status.',
    fields: (t) => ({
      status: t.expose('status', { type: JobStatusEnum, description: 'The status.' }),
      count: t.exposeInt('count', { description: 'How many jobs.' }),
    }),
  });

export const JobConnectionRef = builder.objectRef<JobPage>('JobConnection').implement({
  description: 'A page of jobs.',
  fields: (t) => ({
    edges: t.field({
      type: [JobEdgeRef],
      complexity: COUNTED_BY_PAGE,
      description: 'The jobs with their cursors.',
      resolve: ({ page }) => [...page.edges],
    }),
    nodes: t.field({
      type: [JobRef],
      complexity: COUNTED_BY_PAGE,
      description: 'The jobs.',
      resolve: ({ page }) => page.edges.map(({ node }) => node),
    }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      description: 'Where the page lies.',
      resolve: ({ page }) => ({
        hasNextPage: page.hasNextPage,
        hasPreviousPage: page.hasPreviousPage,
        startCursor: page.edges.at(0)?.cursor ?? null,
        endCursor: page.edges.at(-1)?.cursor ?? null,
      }),
    }),
    totalCount: t.int({
      nullable: true,
      complexity: COUNT_COST,
      description: 'Jobs that match, on all pages. Exact up to 10 000, null above; costs 10 points.',
      resolve: ({ filter }, _args, { api }) => api.jobs.count(filter),
    }),
    countByStatus: t.field({
      type: [JobStatusCountRef],
      complexity: { field: COUNT_COST, multiplier: 1 },
      description: 'Jobs that match, by status; costs 10 points.',
      resolve: async ({ filter }, _args, { api }) => [...(await api.jobs.countByStatus(filter))],
    }),
  }),
});
