import { z } from 'zod';
import { defaulted, integer, text } from './validate.ts';
import { ENGINES, FAILURE_KINDS, JOB_PRIORITIES, JOB_STATUSES } from './vocabulary.ts';

export const MAX_PAGE_SIZE = 100;
export const DEFAULT_PAGE_SIZE = 20;

const anyOf = <Schema extends z.ZodType>(schema: Schema) => z.array(schema).readonly().nullish();

const DateRange = z.object({
  gte: z.date().nullish(),
  gt: z.date().nullish(),
  lte: z.date().nullish(),
  lt: z.date().nullish(),
});
export type DateRange = z.infer<typeof DateRange>;

/** Lists mean any of; fields are combined with AND. */
export const JobFilter = z.object({
  status: anyOf(z.enum(JOB_STATUSES)),
  queue: anyOf(z.string()),
  priority: anyOf(z.enum(JOB_PRIORITIES)),
  model: anyOf(z.string()),
  language: anyOf(z.string()),
  tags: anyOf(z.string()),
  externalId: anyOf(z.string()),
  engine: anyOf(z.enum(ENGINES)),
  failureKind: anyOf(z.enum(FAILURE_KINDS)),
  deadLettered: z.boolean().nullish(),
  workerId: z.string().nullish(),
  submittedAt: DateRange.nullish(),
  finishedAt: DateRange.nullish(),
  search: text(3, 100).nullish(),
});
export type JobFilter = z.infer<typeof JobFilter>;

const JOB_ORDER_FIELDS = ['SUBMITTED_AT', 'STARTED_AT', 'FINISHED_AT', 'AUDIO_DURATION'] as const;
export type JobOrderField = (typeof JOB_ORDER_FIELDS)[number];

/** `last` takes the place of `first`, which has a default. */
export const JobListQuery = z.object({
  filter: defaulted(JobFilter, {}),
  orderBy: defaulted(z.object({ field: z.enum(JOB_ORDER_FIELDS), direction: z.enum(['ASC', 'DESC']) }), {
    field: 'SUBMITTED_AT',
    direction: 'DESC',
  }),
  first: integer(1, MAX_PAGE_SIZE).nullish(),
  after: z.string().nullish(),
  last: integer(1, MAX_PAGE_SIZE).nullish(),
  before: z.string().nullish(),
});
export type JobListInput = z.input<typeof JobListQuery>;
export type JobListQuery = z.output<typeof JobListQuery>;

export interface Page<Item> {
  readonly edges: readonly { readonly cursor: string; readonly node: Item }[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}
