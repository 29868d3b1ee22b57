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
  description: 'A job in a list, with its cursor.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: 'Opaque; pass it as `after` or `before`.' }),
    node: t.expose('node', { type: JobRef, description: 'The job.' }),
  }),
});

const JobStatusCountRef = builder
  .objectRef<{ readonly status: JobView['status']; readonly count: number }>('JobStatusCount')
  .implement({
    description: 'Number of jobs in a status.',
    fields: (t) => ({
      status: t.expose('status', { type: JobStatusEnum, description: 'The status.' }),
      count: t.exposeInt('count', { description: 'Number of jobs.' }),
    }),
  });

export const JobConnectionRef = builder.objectRef<JobPage>('JobConnection').implement({
  description: 'A page of jobs.',
  fields: (t) => ({
    edges: t.field({
      type: [JobEdgeRef],
      complexity: COUNTED_BY_PAGE,
      description: 'The jobs of this page with their cursors.',
      resolve: ({ page }) => [...page.edges],
    }),
    nodes: t.field({
      type: [JobRef],
      complexity: COUNTED_BY_PAGE,
      description: 'The jobs of this page.',
      resolve: ({ page }) => page.edges.map(({ node }) => node),
    }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      description: 'Position of this page in the list.',
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
      description: 'Number of matching jobs on all pages. Exact up to 10,000, null above. Costs 10 points.',
      resolve: ({ filter }, _args, { api }) => api.jobs.count(filter),
    }),
    countByStatus: t.field({
      type: [JobStatusCountRef],
      complexity: { field: COUNT_COST, multiplier: 1 },
      description: 'Number of matching jobs by status. Costs 10 points.',
      resolve: async ({ filter }, _args, { api }) => [...(await api.jobs.countByStatus(filter))],
    }),
  }),
});
