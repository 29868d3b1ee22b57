import { expect, test } from 'vitest';
import { fitSegment, splitBySize } from '../../../../worker/run/fit-segments.ts';
import { aSegment, wordsOf } from '../../../support/builders.ts';

const found = { startMs: 100, endMs: 900, text: ' hello ', speaker: null, confidence: 0.5, words: null };
const bounds = { offsetMs: 60_000, endMs: 62_000, notBeforeMs: 60_000 };

test('a segment gets the time of the recording', () => {
  expect(fitSegment(found, bounds)).toMatchObject({ startMs: 60_100, endMs: 60_900, text: 'hello' });
});

test('a segment that overlaps the one before or ends after its piece is clamped', () => {
  expect(fitSegment({ ...found, endMs: 9_000 }, { ...bounds, notBeforeMs: 60_500 })).toMatchObject({
    startMs: 60_500,
    endMs: 62_000,
  });
  expect(fitSegment({ ...found, startMs: 9_000, endMs: 9_500 }, bounds)).toMatchObject({
    startMs: 62_000,
    endMs: 62_000,
  });
});

test('words stay within their segment, times are whole, and confidences between 0 and 1', () => {
  const words = [{ startMs: 50.4, endMs: 2_000, text: 'hello', confidence: 1.2 }];
  expect(fitSegment({ ...found, confidence: Number.NaN, words }, bounds)).toMatchObject({
    confidence: null,
    words: [{ startMs: 60_100, endMs: 60_900, confidence: 1 }],
  });
});

test('a segment without a text is dropped', () => {
  expect(fitSegment({ ...found, text: '  ' }, bounds)).toBeNull();
});

test('many segments fill several events below the limit, in order and complete', () => {
  const segments = Array.from({ length: 50 }, (_, index) => aSegment({ index, text: 'x'.repeat(300) }));
  const parts = splitBySize(segments, 4_000);
  expect(parts.length).toBeGreaterThan(4);
  expect(parts.flat()).toEqual(segments);
  for (const part of parts) expect(JSON.stringify(part).length).toBeLessThanOrEqual(4_000);
});

test('segments fill an event up to its limit, and no further', () => {
  const segments = [0, 1, 2].map((index) => aSegment({ index, text: 'é'.repeat(100) }));
  const [first] = segments;
  // Each takes its JSON in bytes, and a comma.
  const bytes = Buffer.byteLength(JSON.stringify(first)) + 1;
  expect(splitBySize(segments, 3 * bytes)).toEqual([segments]);
  expect(splitBySize(segments, 3 * bytes - 1)).toEqual([segments.slice(0, 2), segments.slice(2)]);
  expect(splitBySize(segments, bytes)).toEqual(segments.map((segment) => [segment]));
  expect(splitBySize([])).toEqual([]);
});

test('a segment too large for one event loses its words, not its text', () => {
  const text = Array.from({ length: 400 }, (_, index) => `word${index}`).join(' ');
  const [part] = splitBySize([aSegment({ text, words: wordsOf(text, 0, 1_000) })], 8_000);
  expect(part?.[0]).toMatchObject({ text, words: null });
});
