import { type SegmentPage, segmentCursor } from '../../app/read-segments.ts';
import { builder } from '../builder.ts';
import { COUNTED_BY_PAGE } from '../limits.ts';
import { type SegmentOfJob, SegmentRef } from './segment.ts';

interface PageOfJob extends SegmentPage {
  readonly segments: readonly SegmentOfJob[];
}

const SegmentEdgeRef = builder.objectRef<SegmentOfJob>('TranscriptSegmentEdge').implement({
  description: 'A segment in a list, with its cursor.',
  fields: (t) => ({
    cursor: t.string({
      description: 'Opaque; pass it as `after`.',
      resolve: ({ index }) => segmentCursor(index),
    }),
    node: t.field({ type: SegmentRef, description: 'The segment.', resolve: (segment) => segment }),
  }),
});

export const SegmentConnectionRef = builder.objectRef<PageOfJob>('TranscriptSegmentConnection').implement({
  description: 'A page of segments.',
  fields: (t) => ({
    edges: t.field({
      type: [SegmentEdgeRef],
      complexity: COUNTED_BY_PAGE,
      description: 'The segments of this page with their cursors.',
      resolve: ({ segments }) => [...segments],
    }),
    nodes: t.field({
      type: [SegmentRef],
      complexity: COUNTED_BY_PAGE,
      description: 'The segments of this page.',
      resolve: ({ segments }) => [...segments],
    }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      description: 'Position of this page in the transcript.',
      resolve: ({ segments, hasNextPage, hasPreviousPage }) => {
        const [first, last] = [segments.at(0), segments.at(-1)];
        return {
          hasNextPage,
          hasPreviousPage,
          startCursor: first === undefined ? null : segmentCursor(first.index),
          endCursor: last === undefined ? null : segmentCursor(last.index),
        };
      },
    }),
  }),
});
