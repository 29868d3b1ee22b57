import { describe, expect, it } from 'vitest';
import type { ExportFormat, ExportOptions } from '../../../src/captions/export-options.ts';
import type { Segment } from '../../../src/domain/transcript.ts';
import { aSegment, wordsOf } from '../../support/builders.ts';
import { withoutMarkup } from '../../support/captions.ts';
import { writeTranscript } from '../../support/write-transcript.ts';

const HEBREW = '99 בלונים אדומים.';
const ARABIC = 'هل تستخدم WhatsApp كل يوم؟';

function linesOf(
  format: ExportFormat,
  segment: Partial<Segment>,
  options: Partial<ExportOptions> = {},
): string[] {
  const chosen: ExportOptions = {
    preset: 'WEB',
    maxCharsPerLine: null,
    maxLines: null,
    includeSpeakers: false,
    highlightWords: null,
    ...options,
  };
  const file = writeTranscript(format, { language: null, durationMs: null }, [aSegment(segment)], chosen);
  return file.split('\n').filter((line) => /\p{L}/u.test(line) && !line.startsWith('WEBVTT'));
}

/** A right-to-left embedding around a mark and the text: what a player of either kind lays out right. */
const rightToLeft = (text: string): string => `\u202b\u200f${text}\u202c`;

describe('lines of right-to-left scripts', () => {
  it.each(['SRT', 'VTT'] as const)('are marked in %s', (format) => {
    expect(linesOf(format, { text: HEBREW })).toEqual([rightToLeft(HEBREW)]);
    expect(linesOf(format, { text: ARABIC })).toEqual([rightToLeft(ARABIC)]);
  });

  it('are marked with the name of the speaker inside', () => {
    const spoken = { text: HEBREW, speaker: '0' };

    expect(linesOf('SRT', spoken, { includeSpeakers: true })).toEqual([
      rightToLeft(`Speaker 1:\u200f ${HEBREW}`),
    ]);
    expect(linesOf('VTT', spoken, { includeSpeakers: true })).toEqual([
      `<v Speaker 1>${rightToLeft(HEBREW)}</v>`,
    ]);
  });

  it('are marked each, in logical order, those without such a letter too', () => {
    const text = 'שלום לכולם, התקנו את Windows Server 2022 Datacenter Edition. עכשיו הכול עובד.';

    const lines = linesOf('SRT', { endMs: 6_000, text }, { maxCharsPerLine: 30, maxLines: 3 });

    expect(lines).toEqual([
      rightToLeft('שלום לכולם, התקנו את Windows'),
      rightToLeft('Server 2022 Datacenter'),
      rightToLeft('Edition. עכשיו הכול עובד.'),
    ]);
  });

  it('are marked outside of the markup of words in VTT', () => {
    const words = wordsOf(HEBREW, 0, 2_000);

    const lines = linesOf('VTT', { text: HEBREW, words }, { highlightWords: true });

    expect(lines.join('')).toContain('<c>');
    expect(lines.map(withoutMarkup)).toEqual([rightToLeft(HEBREW)]);
  });

  it('have no tags in SRT, where these would reorder the words', () => {
    const words = wordsOf(HEBREW, 0, 2_000);

    const lines = linesOf('SRT', { text: HEBREW, words }, { highlightWords: true });

    expect(lines).toEqual([rightToLeft(HEBREW)]);
  });

  it('are closed even where the text leaves an override open', () => {
    expect(linesOf('SRT', { text: `\u202eabc ${HEBREW} \u2067` })).toEqual([rightToLeft(`abc ${HEBREW}`)]);
  });

  it.each(['TXT', 'JSON', 'TSV'] as const)('stay plain in %s', (format) => {
    expect(linesOf(format, { text: HEBREW }).join('')).toContain(HEBREW);
    expect(linesOf(format, { text: HEBREW }).join('')).not.toMatch(/\p{Bidi_Control}/u);
  });
});

describe('lines of left-to-right scripts', () => {
  it('are plain', () => {
    expect(linesOf('SRT', { text: 'Hello there.' })).toEqual(['Hello there.']);
  });

  it('are marked where a word of the other direction could turn them', () => {
    expect(linesOf('VTT', { text: 'שלום means hello in Hebrew.' })).toEqual([
      '\u202a\u200eשלום means hello in Hebrew.\u202c',
    ]);
  });
});
