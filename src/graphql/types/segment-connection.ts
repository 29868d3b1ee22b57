import { ValidationError } from '../../domain/errors.ts';
import { builder } from '../builder.ts';
import { COUNTED_BY_PAGE } from '../limits.ts';
import { type SegmentOfJob, SegmentRef } from './segment.ts';

interface SegmentPage {
  readonly segments: readonly SegmentOfJob[];
  readonly fromIndex: number;
  readonly hasNextPage: boolean;
}

const CURSOR_PREFIX = 'segment:';

/** Segments never change and have no gaps, so their index is cursor enough. */
export function segmentCursor(index: number): string {
  return btoa(`${CURSOR_PREFIX}${index}`);
}

export function parseSegmentCursor(cursor: string): number {
  const isBase64 = cursor.length <= 64 && /^[A-Za-z0-9+/]+=*$/.test(cursor) && cursor.length % 4 === 0;
  const digits = isBase64 ? /^segment:(\d{1,9})$/.exec(atob(cursor))?.[1] : undefined;
  if (digits === undefined) {
    throw new ValidationError([
      { path: ['after'], rule: 'cursor', message: '`after` is no cursor of a segment.' },
    ]);
  }
  return Number(digits);
}

/** Reads one more than asked for, to know whether more follows. */
export async function pageOfSegments(
  read: (range: { readonly fromIndex: number; readonly limit: number }) => Promise<readonly SegmentOfJob[]>,
  first: number,
  after: string | null,
): Promise<SegmentPage> {
  const fromIndex = after === null ? 0 : parseSegmentCursor(after) + 1;
  const segments = await read({ fromIndex, limit: first + 1 });
  return { segments: segments.slice(0, first), fromIndex, hasNextPage: segments.length > first };
}

const SegmentEdgeRef = builder.objectRef<SegmentOfJob>('TranscriptSegmentEdge').implement({
  description: 'A segment and its cursor.',
  fields: (t) => ({
    cursor: t.string({ description: 'Pass as `after`.', resolve: ({ index }) => segmentCursor(index) }),
    node: t.field({ type: SegmentRef, description: 'The segment.', resolve: (segment) => segment }),
  }),
});

export const SegmentConnectionRef = builder.objectRef<SegmentPage>('TranscriptSegmentConnection').implement({
  description: 'A page of segments.',
  fields: (t) => ({
    edges: t.field({
      type: [SegmentEdgeRef],
      complexity: COUNTED_BY_PAGE,
      description: 'The segments with their cursors.',
      resolve: ({ segments }) => [...segments],
    }),
    nodes: t.field({
      type: [SegmentRef],
      complexity: COUNTED_BY_PAGE,
      description: 'The segments.',
      resolve: ({ segments }) => [...segments],
    }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      description: 'Where the page lies.',
      resolve: ({ segments, fromIndex, hasNextPage }) => {
        const [first, last] = [segments.at(0), segments.at(-1)];
        return {
          hasNextPage,
          hasPreviousPage: fromIndex > 0,
          startCursor: first === undefined ? null : segmentCursor(first.index),
          endCursor: last === undefined ? null : segmentCursor(last.index),
        };
      },
    }),
  }),
});
