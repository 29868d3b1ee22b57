import type { Engine, Failure, JobPriority, JobStatus } from './vocabulary.ts';
export interface DateRange {
  readonly gte?: Date | null | undefined;
  readonly gt?: Date | null | undefined;
  readonly lte?: Date | null | undefined;
  readonly lt?: Date | null | undefined;
}

/** Lists mean any of; fields are combined with AND. */
export interface JobFilter {
  readonly status?: readonly JobStatus[] | null | undefined;
  readonly queue?: readonly string[] | null | undefined;
  readonly priority?: readonly JobPriority[] | null | undefined;
  readonly model?: readonly string[] | null | undefined;
  readonly language?: readonly string[] | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  readonly externalId?: readonly string[] | null | undefined;
  readonly engine?: readonly Engine[] | null | undefined;
  readonly failureKind?: readonly Failure['kind'][] | null | undefined;
  readonly deadLettered?: boolean | null | undefined;
  readonly workerId?: string | null | undefined;
  readonly submittedAt?: DateRange | null | undefined;
  readonly finishedAt?: DateRange | null | undefined;
  readonly search?: string | null | undefined;
}

export const JOB_ORDER_FIELDS = ['SUBMITTED_AT', 'STARTED_AT', 'FINISHED_AT', 'AUDIO_DURATION'] as const;

export type JobOrderField = (typeof JOB_ORDER_FIELDS)[number];

/** A page of a connection: exactly one of first/last, 1 to 100, checked by the use case. */
export interface PageRequest {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

export interface JobListQuery extends PageRequest {
  readonly filter: JobFilter;
  readonly orderBy: { readonly field: JobOrderField; readonly direction: 'ASC' | 'DESC' };
}

export interface Page<Item> {
  readonly edges: readonly { readonly cursor: string; readonly node: Item }[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}
