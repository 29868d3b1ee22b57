import { z } from 'zod';
import type { Principal } from '../domain/principal.ts';
import type { Segment } from '../domain/transcript.ts';
import { defaulted, integer, optional, validate } from '../domain/validate.ts';
import type { Storage } from '../storage/open-storage.ts';

export const MAX_SEGMENTS_PER_PAGE = 500;
export const DEFAULT_SEGMENTS_PER_PAGE = 100;

/** Segments never change and have no gaps, so their index is cursor enough. */
export function segmentCursor(index: number): string {
  return Buffer.from(`segment:${index}`).toString('base64');
}

const SegmentCursor = z.string().transform((cursor, context) => {
  const index = Number(/^segment:(\d{1,9})$/.exec(Buffer.from(cursor, 'base64').toString('latin1'))?.[1]);
  if (segmentCursor(index) === cursor) return index;
  context.addIssue({
    code: 'custom',
    message: 'is not a cursor of a segment',
    params: { rule: 'cursor' },
  });
  return z.NEVER;
});

export const ReadSegmentsInput = z.object({
  jobId: z.string(),
  first: defaulted(integer(1, MAX_SEGMENTS_PER_PAGE), DEFAULT_SEGMENTS_PER_PAGE),
  after: optional(SegmentCursor),
});
export type ReadSegmentsInput = z.input<typeof ReadSegmentsInput>;

export interface SegmentPage {
  readonly segments: readonly Segment[];
  readonly hasPreviousPage: boolean;
  readonly hasNextPage: boolean;
}

/** A page of a transcript; empty where there is no such job. */
export async function readSegments(
  { reader }: Pick<Storage, 'reader'>,
  by: Principal,
  input: ReadSegmentsInput,
): Promise<SegmentPage> {
  const { jobId, first, after } = validate(ReadSegmentsInput, input, []);
  const from = after === null ? 0 : after + 1;
  // One more than requested, to know whether more follows.
  const segments = await reader.segments(by.tenantId, jobId, from, first + 1);
  return {
    segments: segments.slice(0, first),
    hasPreviousPage: from > 0,
    hasNextPage: segments.length > first,
  };
}
