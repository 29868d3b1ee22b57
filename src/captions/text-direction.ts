import { hasRightToLeft } from './text-script.ts';

const RIGHT_TO_LEFT = { open: '\u202b\u200f', close: '\u202c' } as const;
const LEFT_TO_RIGHT = { open: '\u202a\u200e', close: '\u202c' } as const;

/**
 * A line marked with its direction, where a player could get it wrong: an embedding holds the line together in
 * players that lay out left to right; the mark is the first letter for those that go by it.
 *
 * Isolates would do less: players skip them in that search, and libass before 0.15 may draw them.
 *
 * @param plain The line without markup.
 */
export function directed(line: string, plain: string, rightToLeft: boolean): string {
  if (!rightToLeft && !hasRightToLeft(plain)) return line;
  const { open, close } = rightToLeft ? RIGHT_TO_LEFT : LEFT_TO_RIGHT;
  return open + line + close;
}
