import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExportFormat, ExportOptions } from '../../../src/captions/export-options.ts';
import { aSegment, wordsOf } from '../../support/builders.ts';
import { readSubRip, readWebVtt, withoutMarks, withoutMarkup } from '../../support/captions.ts';
import { writeTranscript } from '../../support/write-transcript.ts';

const OPTIONS: ExportOptions = {
  preset: 'WEB',
  maxCharsPerLine: null,
  maxLines: null,
  includeSpeakers: false,
  highlightWords: null,
};

const MARKUP = [
  'go to File --> Export',
  'if x<y and y>z then',
  '{\\an8} top',
  '42',
  'see <b>bold</b> & <i>more',
];

function fileOf(
  format: ExportFormat,
  texts: readonly string[],
  options: Partial<ExportOptions> = {},
): string {
  const segments = texts.map((text, index) => {
    const [startMs, endMs] = [index * 3_000, (index + 1) * 3_000];
    return aSegment({ index, startMs, endMs, text, words: wordsOf(text, startMs, endMs) });
  });
  return writeTranscript(format, { language: null, durationMs: null }, segments, { ...OPTIONS, ...options });
}

describe('text that looks like markup', () => {
  it('is shown in SRT by characters that no player obeys', () => {
    const captions = readSubRip(fileOf('SRT', MARKUP));

    expect(captions.flatMap(({ lines }) => lines.map(withoutMarks))).toEqual([
      'go to File --› Export',
      'if x‹y and y›z then',
      '(\\an8) top',
      '42',
      'see ‹b›bold‹/b› & ‹i›more',
    ]);
  });

  it('is itself in VTT', () => {
    const captions = readWebVtt(fileOf('VTT', MARKUP));

    expect(captions.flatMap(({ lines }) => lines.map(withoutMarkup))).toEqual(MARKUP);
  });

  it('is parted from the escapes that players know', () => {
    expect(fileOf('SRT', ['C:\\new \\Notes &lt; AT&T &#39;'])).toContain(
      '\nC:\\\u2060new \\\u2060Notes &\u2060lt; AT&T &\u2060#39;\n',
    );
  });

  it('adds no tag to those of marked words', () => {
    const file = fileOf('SRT', ['<b>x</b> {y}'], { highlightWords: true });

    expect(file).toContain('\n<u>‹b›x‹/b›</u> (y)\n');
    expect(file).toContain('\n‹b›x‹/b› <u>(y)</u>\n');
  });

  it('holds no tag, brace or arrow in SRT, whatever was said', { timeout: 30_000 }, () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { maxLength: 5 }), (texts) => {
        const lines = readSubRip(fileOf('SRT', texts)).flatMap((caption) => caption.lines);

        expect(lines.filter((line) => /[<>{}]|-->|\\(?!\u2060)/.test(line))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
