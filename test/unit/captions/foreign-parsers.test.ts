import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineText } from '../../../src/captions/caption-lines.ts';
import { CueQueue } from '../../../src/captions/cue-queue.ts';
import { CAPTION_PRESETS, type ExportOptions } from '../../../src/captions/export-options.ts';
import type { Segment } from '../../../src/domain/transcript.ts';
import { anyTranscript } from '../../support/any-transcript.ts';
import { SUB_RIP_PARSERS, WEB_VTT_PARSERS } from '../../support/caption-parsers.ts';
import { asSubRipShows, type ReadCaption, readSubRip, withoutMarks } from '../../support/captions.ts';
import { writeTranscript } from '../../support/write-transcript.ts';

const HEAD = { language: null, durationMs: null };

/** What the parsers ought to find. */
function cuesOf(segments: readonly Segment[], options: ExportOptions, namePrefix: boolean): ReadCaption[] {
  const queue = new CueQueue({ options, language: null, namePrefix });
  return [...queue.push(segments), ...queue.end()].map(({ startMs, endMs, lines }) => ({
    startMs,
    endMs,
    lines: lines.map((line) => lineText(line)),
  }));
}

function changed(captions: readonly ReadCaption[], change: (text: string) => string): ReadCaption[] {
  return captions.map((caption) => ({ ...caption, lines: caption.lines.map(change) }));
}

/** Each of 300 transcripts with options of its own. */
const CORPUS = fc.sample(anyTranscript, { seed: 10, numRuns: 300 }).map((segments, index) => {
  const options: ExportOptions = {
    preset: CAPTION_PRESETS[index % CAPTION_PRESETS.length] ?? 'WEB',
    maxCharsPerLine: null,
    maxLines: null,
    includeSpeakers: index % 2 === 0,
    highlightWords: false,
  };
  const marked = { ...options, highlightWords: true };
  return {
    segments,
    subRip: writeTranscript('SRT', HEAD, segments, options),
    subRipCues: changed(cuesOf(segments, options, options.includeSpeakers), (text) =>
      withoutMarks(asSubRipShows(text)),
    ),
    markedSubRip: writeTranscript('SRT', HEAD, segments, marked),
    webVtt: writeTranscript('VTT', HEAD, segments, options),
    webVttCues: changed(cuesOf(segments, options, false), withoutMarks),
    markedWebVtt: writeTranscript('VTT', HEAD, segments, marked),
  };
});

/** Sorted, as overlapping segments take turns; without spaces, as they fall where lines are broken. */
const letters = (text: string): string =>
  [...withoutMarks(text).replace(/[\s\p{Cc}]+/gu, '')].sort().join('');

describe('300 transcripts', () => {
  it('have markup, overlaps, tiny and long segments', () => {
    const segments = CORPUS.flatMap((transcript) => transcript.segments);
    const lengths = segments.map(({ startMs, endMs }) => endMs - startMs);
    const overlaps = CORPUS.flatMap((transcript) =>
      transcript.segments.filter(({ startMs }, at) => startMs < (transcript.segments[at - 1]?.endMs ?? 0)),
    );

    expect(CORPUS.length).toBe(300);
    expect(overlaps.length).toBeGreaterThan(100);
    expect(lengths.filter((ms) => ms <= 60).length).toBeGreaterThan(200);
    expect(lengths.filter((ms) => ms >= 8_000).length).toBeGreaterThan(200);
    expect(segments.filter(({ text }) => /[<{]|-->/.test(text)).length).toBeGreaterThan(200);
  });

  it('lose no character in their captions', () => {
    for (const { segments, webVttCues } of CORPUS) {
      const shown = webVttCues.flatMap(({ lines }) => lines);

      expect(letters(shown.join(''))).toBe(letters(segments.map(({ text }) => text).join('')));
    }
  });

  it.each(SUB_RIP_PARSERS)('are the same captions as SRT for $parser', async ({ read }) => {
    for (const { subRip, subRipCues } of CORPUS) {
      expect(changed(await read(subRip), withoutMarks)).toEqual(subRipCues);
    }
  });

  it.each(SUB_RIP_PARSERS)('are the same SRT with words marked for $parser', async ({ read }) => {
    for (const { markedSubRip } of CORPUS) {
      expect(await read(markedSubRip)).toEqual(readSubRip(markedSubRip));
    }
  });

  it.each(WEB_VTT_PARSERS)('are the same captions as VTT for $parser', async ({ read }) => {
    for (const { webVtt, webVttCues } of CORPUS) {
      expect(changed(await read(webVtt), withoutMarks)).toEqual(webVttCues);
    }
  });

  it.each(WEB_VTT_PARSERS)('are the same VTT with words marked for $parser', async ({ read }) => {
    for (const { markedWebVtt, webVttCues } of CORPUS) {
      expect(changed(await read(markedWebVtt), withoutMarks)).toEqual(webVttCues);
    }
  });
});
