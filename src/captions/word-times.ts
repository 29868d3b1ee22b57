import type { Segment } from '../domain/transcript.ts';

/** When each place in a text is spoken; places are counted in UTF-16 units without the spaces. */
export interface TimesAlong {
  /** When what follows this place begins. */
  startAt(offset: number): number;
  /** When what precedes this place has ended. */
  endAt(offset: number): number;
}

interface Anchor {
  readonly from: number;
  readonly to: number;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * The times along a segment's text: those of its words where it has some, else in proportion to the
 * characters. An engine's words need not spell the text ("two" for "2,"): they are then matched one to
 * one where there are as many of both, else by their share of the characters.
 *
 * @param chunks The text between its spaces.
 */
export function timesAlong(
  segment: Pick<Segment, 'startMs' | 'endMs' | 'words'>,
  chunks: readonly string[],
): TimesAlong {
  const anchors = anchorsOf(segment, chunks);
  const within = (timeMs: number) =>
    Math.min(Math.max(Math.round(timeMs), segment.startMs), Math.max(segment.startMs, segment.endMs));
  const inside = (anchor: Anchor, offset: number) =>
    within(
      anchor.startMs + ((offset - anchor.from) / (anchor.to - anchor.from)) * (anchor.endMs - anchor.startMs),
    );
  return {
    startAt(offset) {
      const anchor = firstWhere(anchors, ({ to }) => to > offset);
      return anchor === undefined ? within(segment.endMs) : inside(anchor, Math.max(offset, anchor.from));
    },
    endAt(offset) {
      const anchor = firstWhere(anchors, ({ to }) => to >= offset);
      return anchor === undefined ? within(segment.endMs) : inside(anchor, Math.max(offset, anchor.from));
    },
  };
}

function anchorsOf(
  segment: Pick<Segment, 'startMs' | 'endMs' | 'words'>,
  chunks: readonly string[],
): Anchor[] {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const words = (segment.words ?? [])
    .map((word) => ({ ...word, text: word.text.replace(/\s+/gu, '') }))
    .filter((word) => word.text !== '');
  if (words.length === 0) {
    return length === 0 ? [] : [{ from: 0, to: length, startMs: segment.startMs, endMs: segment.endMs }];
  }
  const spelled = words.reduce((sum, word) => sum + word.text.length, 0);
  const oneToOne = spelled !== length && words.length === chunks.length;
  const scale = length / spelled;
  let from = 0;
  return words.map((word, index) => {
    const size = oneToOne ? (chunks[index]?.length ?? 0) : word.text.length * scale;
    const anchor = { from, to: from + size, startMs: word.startMs, endMs: word.endMs };
    from += size;
    return anchor;
  });
}

/** The first item that `matches`, where all after it match too. */
function firstWhere<Item>(items: readonly Item[], matches: (item: Item) => boolean): Item | undefined {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && matches(item)) high = middle;
    else low = middle + 1;
  }
  return items[low];
}
