import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ListenAnswer,
  resultOf,
  segmentsOf,
} from '../../../../../worker/engines/deepgram/deepgram-response.ts';

interface Utterance {
  readonly start: number;
  readonly end: number;
  readonly words?: number;
}

function anAnswer(utterances: readonly Utterance[], duration = 1000): ListenAnswer {
  return ListenAnswer.parse({
    metadata: { duration, channels: 1 },
    results: {
      channels: [{ alternatives: [], detected_language: 'es' }],
      utterances: utterances.map(({ start, end, words = 0 }) => ({
        start,
        end,
        transcript: 'said',
        words: Array.from({ length: words }, (_, at) => ({
          word: `w${at}`,
          start: start + ((end - start) * at) / words,
          end: start + ((end - start) * (at + 1)) / words,
        })),
      })),
    },
  });
}

const all = { words: true, resumeMs: 0 };
const timesOf = (answer: ListenAnswer, wanted = all) =>
  segmentsOf(answer, wanted).map(({ startMs, endMs }) => [startMs, endMs]);

describe('segments of an answer', () => {
  test('do not overlap where speakers talk at once', () => {
    const answer = anAnswer([
      { start: 1, end: 4 },
      { start: 3, end: 5 },
      { start: 3.5, end: 4.5 },
    ]);

    expect(timesOf(answer)).toEqual([
      [1000, 4000],
      [4000, 5000],
      [5000, 5000],
    ]);
  });

  test('end with the recording', () => {
    expect(timesOf(anAnswer([{ start: 8, end: 11 }], 10))).toEqual([[8000, 10_000]]);
  });

  test('of an utterance without a pause have at most 200 words each, and lose none', () => {
    const segments = segmentsOf(anAnswer([{ start: 0, end: 900, words: 450 }]), all);

    expect(segments.map((segment) => segment.words?.length)).toEqual([200, 200, 50]);
    expect(
      segments
        .map((segment) => segment.text)
        .join(' ')
        .split(' ').length,
    ).toBe(450);
  });

  test('continue at the word where the attempt before ended', () => {
    const answer = anAnswer([
      { start: 0, end: 10, words: 10 },
      { start: 20, end: 21, words: 1 },
    ]);

    const segments = segmentsOf(answer, { words: false, resumeMs: 6000 });

    expect(segments.map(({ startMs, text }) => [startMs, text])).toEqual([
      [6000, 'w6 w7 w8 w9'],
      [20_000, 'said'],
    ]);
    expect(segments[0]?.words).toBeNull();
  });

  test('come from the words where there are no utterances', () => {
    const answer = ListenAnswer.parse({
      metadata: { duration: 3, channels: 1 },
      results: {
        channels: [
          {
            alternatives: [
              {
                transcript: 'Hi there.',
                words: [
                  { word: 'hi', start: 1, end: 1.2 },
                  { word: 'there', start: 1.2, end: 2 },
                ],
              },
            ],
          },
        ],
      },
    });

    expect(segmentsOf(answer, all).map(({ startMs, endMs, text }) => [startMs, endMs, text])).toEqual([
      [1000, 2000, 'Hi there.'],
    ]);
  });

  test('keep task and bounds whatever the answer says', () => {
    const utterance = fc.record({
      start: fc.double({ min: 0, max: 100, noNaN: true }),
      end: fc.double({ min: 0, max: 120, noNaN: true }),
      words: fc.nat(5),
    });

    fc.assert(
      fc.property(fc.array(utterance, { maxLength: 20 }), fc.nat(50_000), (utterances, resumeMs) => {
        const segments = segmentsOf(anAnswer(utterances, 100), { words: true, resumeMs });
        let freeFromMs = resumeMs;
        for (const segment of segments) {
          expect(segment.startMs).toBeGreaterThanOrEqual(freeFromMs);
          expect(segment.endMs).toBeGreaterThanOrEqual(segment.startMs);
          expect(segment.endMs).toBeLessThanOrEqual(100_000);
          for (const word of segment.words ?? []) {
            expect(word.startMs).toBeGreaterThanOrEqual(segment.startMs);
            expect(word.endMs).toBeLessThanOrEqual(segment.endMs);
          }
          freeFromMs = segment.endMs;
        }
      }),
    );
  });
});

test('the language is the one asked for, else the one heard', () => {
  const asked = { language: null, model: 'nova-3', requestId: 'r' };

  expect(resultOf(anAnswer([]), asked)).toMatchObject({ language: 'es', model: 'nova-3', requestId: 'r' });
  expect(resultOf(anAnswer([]), { ...asked, language: 'pt' })).toMatchObject({
    language: 'pt',
    languageConfidence: null,
  });
});
