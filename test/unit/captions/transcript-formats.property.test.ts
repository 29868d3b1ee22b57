import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRESETS } from '../../../src/captions/caption-rules.ts';
import { CAPTION_PRESETS, type ExportOptions } from '../../../src/captions/export-options.ts';
import type { Segment, Word } from '../../../src/domain/transcript.ts';
import {
  asSubRipShows,
  type ReadCaption,
  readSubRip,
  readWebVtt,
  withoutMarks,
  withoutMarkup,
} from '../../support/captions.ts';
import { writeTranscript } from '../../support/write-transcript.ts';

const RUNS = { numRuns: 150 };
const HEAD = { language: null, durationMs: null };
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

const word = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[a-zA-Z']{1,14}[.,?!]?$/) },
  { weight: 1, arbitrary: fc.stringMatching(/^[a-z&;<>/-]{1,40}$/) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom('今日は天気がいいですね。', 'สวัสดีครับ', '👩‍👩‍👧‍👦', 'naïve', '—') },
);

interface Draft {
  readonly pauseMs: number;
  readonly texts: readonly string[];
  readonly lengthMs: number;
  readonly speaker: string | null;
  readonly timing: 'none' | 'exact' | 'jumbled';
  readonly cuts: readonly number[];
}

const draft: fc.Arbitrary<Draft> = fc.record({
  pauseMs: fc.nat({ max: 3_000 }),
  texts: fc.array(word, { maxLength: 30 }),
  lengthMs: fc.integer({ min: 1_000, max: 30_000 }),
  speaker: fc.option(fc.constantFrom('0', '1', '11', 'host')),
  timing: fc.constantFrom('none', 'exact', 'jumbled'),
  cuts: fc.array(fc.nat({ max: 1_000 }), { minLength: 60, maxLength: 60 }),
});

/** Segments as the domain promises them: numbered, in order, not overlapping. */
const transcript: fc.Arbitrary<Segment[]> = fc.array(draft, { maxLength: 6 }).map((drafts) => {
  let endMs = 0;
  return drafts.map((each, index) => {
    const startMs = endMs + each.pauseMs;
    endMs = startMs + each.lengthMs;
    const text = each.texts.join(' ');
    return {
      index,
      startMs,
      endMs,
      text,
      speaker: each.speaker,
      confidence: null,
      words: timed(each, startMs),
    };
  });
});

/** Words in order and within the segment, or `jumbled`: as an engine at its worst reports them. */
function timed({ texts, lengthMs, timing, cuts }: Draft, startMs: number): Word[] | null {
  if (timing === 'none') return null;
  const shares = cuts.slice(0, texts.length * 2);
  if (timing === 'exact') shares.sort((a, b) => a - b);
  const at = (index: number) => startMs + Math.round(((shares[index] ?? 0) / 1_000) * lengthMs);
  const texts2 = timing === 'exact' ? texts : texts.slice(0, Math.ceil(texts.length / 2));
  return texts2.map((text, index) => ({
    startMs: at(index * 2),
    endMs: at(index * 2 + 1),
    text,
    confidence: null,
  }));
}

const SILENCE: Segment = {
  index: 0,
  startMs: 0,
  endMs: 60_000,
  text: '',
  speaker: null,
  confidence: null,
  words: null,
};

const options = fc.record({
  preset: fc.constantFrom(...CAPTION_PRESETS),
  maxCharsPerLine: fc.integer({ min: 10, max: 120 }),
  maxLines: fc.integer({ min: 1, max: 5 }),
  includeSpeakers: fc.boolean(),
  highlightWords: fc.boolean(),
});

const FORMATS = [
  { name: 'SRT', read: readSubRip, shows: asSubRipShows },
  {
    name: 'VTT',
    read: (file: string): ReadCaption[] =>
      readWebVtt(file).map((cue) => ({ ...cue, lines: withoutMarkup(cue.lines.join('\n')).split('\n') })),
    shows: (text: string) => text,
  },
] as const;

function captionsOf(
  { name, read }: (typeof FORMATS)[number],
  segments: Segment[],
  chosen: ExportOptions,
): ReadCaption[] {
  return read(writeTranscript(name, HEAD, segments, chosen));
}

/** What was said, without spaces: lines may be broken anywhere but nothing may be lost or added. */
const letters = (text: string): string => withoutMarks(text).replace(/[\s\p{Cc}]+/gu, '');

describe.each(FORMATS)('captions of any transcript ($name)', { timeout: 30_000 }, (format) => {
  it('begin in order, end after they begin, and never overlap', () => {
    fc.assert(
      fc.property(transcript, options, (segments, chosen) => {
        let previousEndMs = 0;
        for (const { startMs, endMs } of captionsOf(format, segments, chosen)) {
          expect(startMs).toBeGreaterThanOrEqual(previousEndMs);
          expect(endMs).toBeGreaterThan(startMs);
          previousEndMs = endMs;
        }
      }),
      RUNS,
    );
  });

  it('begin with their segment and end with it, but for the shortest and longest time', () => {
    fc.assert(
      fc.property(transcript, options, (segments, chosen) => {
        const { minCueMs, maxCueMs, lingerMs } = PRESETS[chosen.preset];
        for (const segment of segments) {
          const captions = captionsOf(format, [segment], { ...chosen, highlightWords: false });
          const last = captions.at(-1);
          if (last === undefined) continue;
          const latestMs = Math.max(segment.endMs, segment.startMs + captions.length * minCueMs) + lingerMs;
          expect(captions[0]?.startMs).toBe(segment.startMs);
          expect(last.endMs).toBeGreaterThanOrEqual(Math.min(segment.endMs, last.startMs + maxCueMs));
          expect(last.endMs).toBeLessThanOrEqual(latestMs);
        }
      }),
      RUNS,
    );
  });

  it('have the same times whether words are marked or not', () => {
    fc.assert(
      fc.property(transcript, options, (segments, chosen) => {
        const plain = captionsOf(format, segments, { ...chosen, highlightWords: false });
        const marked = captionsOf(format, segments, { ...chosen, highlightWords: true });

        const starts = new Set(marked.map(({ startMs }) => startMs));
        const ends = new Set(marked.map(({ endMs }) => endMs));
        expect(plain.filter(({ startMs, endMs }) => !(starts.has(startMs) && ends.has(endMs)))).toEqual([]);
      }),
      RUNS,
    );
  });

  it('stay for the shortest time where the next one leaves room, and never for more than the longest', () => {
    fc.assert(
      fc.property(transcript, options, (segments, chosen) => {
        const { minCueMs, maxCueMs } = PRESETS[chosen.preset];
        const captions = captionsOf(format, segments, { ...chosen, highlightWords: false });
        for (const [index, { startMs, endMs }] of captions.entries()) {
          const nextMs = captions[index + 1]?.startMs ?? Number.POSITIVE_INFINITY;
          expect(endMs - startMs).toBeGreaterThanOrEqual(Math.min(minCueMs, nextMs - startMs));
          expect(endMs - startMs).toBeLessThanOrEqual(maxCueMs);
        }
      }),
      RUNS,
    );
  });

  it('leave the gap of their preset where the shortest time allows it', () => {
    fc.assert(
      fc.property(transcript, options, (segments, chosen) => {
        const { minCueMs, maxCueMs, minGapMs, closeGapsBelowMs } = PRESETS[chosen.preset];
        const captions = captionsOf(format, segments, { ...chosen, highlightWords: false });
        for (const [index, { startMs, endMs }] of captions.entries()) {
          const gapMs = (captions[index + 1]?.startMs ?? Number.POSITIVE_INFINITY) - endMs;
          const lengthMs = endMs - startMs;
          if (lengthMs > minCueMs) expect(gapMs).toBeGreaterThanOrEqual(minGapMs);
          if (lengthMs > minCueMs && lengthMs < maxCueMs && gapMs > minGapMs) {
            expect(gapMs).toBeGreaterThanOrEqual(closeGapsBelowMs);
          }
        }
      }),
      RUNS,
    );
  });

  it('hold every word once, in order', () => {
    fc.assert(
      fc.property(transcript, options, (segments, chosen) => {
        const plain = { ...chosen, highlightWords: false, includeSpeakers: false };

        const captions = captionsOf(format, segments, plain);

        const shown = captions.flatMap(({ lines }) => lines).join(' ');
        const said = segments.map(({ text }) => text).join(' ');
        expect(letters(shown)).toBe(letters(format.shows(said)));
      }),
      RUNS,
    );
  });

  it('never break a word that fits a line', () => {
    const spaced = fc.array(fc.stringMatching(/^[a-zA-Zà-öА-яα-ω\d'&<-]{1,10}$/u), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(spaced, options, (texts, chosen) => {
        const text = texts.join(' ');
        const segment = { ...SILENCE, text };

        const captions = captionsOf(format, [segment], { ...chosen, highlightWords: false });

        const shown = captions.flatMap(({ lines }) => lines).join(' ');
        expect(withoutMarks(shown)).toBe(format.shows(text));
      }),
      RUNS,
    );
  });

  it('keep to their lines', () => {
    fc.assert(
      fc.property(transcript, options, (segments, chosen) => {
        // Highlighting is markup in SubRip too; it is no part of what is counted.
        for (const { lines } of captionsOf(format, segments, { ...chosen, highlightWords: false })) {
          expect(lines.length).toBeGreaterThanOrEqual(1);
          expect(lines.length).toBeLessThanOrEqual(chosen.maxLines);
          for (const line of lines) {
            const width = [...graphemes.segment(withoutMarks(line))].length;
            expect(width).toBeLessThanOrEqual(chosen.maxCharsPerLine);
            expect(width).toBeGreaterThan(0);
          }
        }
      }),
      RUNS,
    );
  });
});

describe('the other formats of any transcript', () => {
  it('JSON gives the segments back', () => {
    fc.assert(
      fc.property(transcript, options, (segments, chosen) => {
        const file = writeTranscript('JSON', HEAD, segments, chosen);
        expect(JSON.parse(file)).toEqual({ ...HEAD, segments });
      }),
      RUNS,
    );
  });

  it('TSV has one row a segment with text, each of the same columns', () => {
    fc.assert(
      fc.property(transcript, options, (segments, chosen) => {
        const rows = writeTranscript('TSV', HEAD, segments, chosen).trimEnd().split('\n');

        const spoken = segments.filter(({ text }) => letters(text) !== '');
        expect(rows.length).toBe(spoken.length + 1);
        const columns = chosen.includeSpeakers ? 4 : 3;
        for (const row of rows) expect(row.split('\t').length).toBe(columns);
      }),
      RUNS,
    );
  });
});
