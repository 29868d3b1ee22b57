import { describe, expect, it } from 'vitest';
import { lineText, toCaptions } from '../../../src/captions/caption-lines.ts';
import { captionRules } from '../../../src/captions/caption-rules.ts';
import { captionUnits } from '../../../src/captions/caption-text.ts';
import type { ExportOptions } from '../../../src/captions/export-options.ts';
import { scriptOf } from '../../../src/captions/text-script.ts';
import { aSegment } from '../../support/builders.ts';

const OPTIONS: ExportOptions = {
  preset: 'WEB',
  maxCharsPerLine: null,
  maxLines: null,
  includeSpeakers: false,
  highlightWords: null,
};

describe('line breaking', () => {
  const lines = (text: string, maxCharsPerLine: number): string[] => {
    const rules = captionRules({ ...OPTIONS, maxCharsPerLine, maxLines: 5 }, scriptOf(text, null));
    return toCaptions(captionUnits(aSegment({ endMs: 6_000, text }), rules), rules)
      .flat()
      .map((line) => lineText(line));
  };

  it.each([
    {
      because: 'a line may be exactly full',
      text: 'abcde fghi klm',
      max: 10,
      expected: ['abcde fghi', 'klm'],
    },
    { because: 'a word stays whole', text: 'a singleword', max: 10, expected: ['a', 'singleword'] },
    { because: 'an endless word is cut', text: 'aaaaaaaaaaaabb', max: 12, expected: ['aaaaaaaaaaaa', 'bb'] },
    {
      because: 'an address is cut at its punctuation',
      text: 'https://example.com/recordings',
      max: 14,
      expected: ['https://', 'example.com/', 'recordings'],
    },
    {
      because: 'accents and emoji count as one character each',
      text: 'e\u0301e\u0301e\u0301e\u0301e\u0301 👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦 z',
      max: 10,
      expected: ['e\u0301e\u0301e\u0301e\u0301e\u0301 👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 'z'],
    },
    {
      because: 'Japanese breaks between words, never before a full stop',
      text: '東京タワーに行く。大阪城を見る。',
      max: 10,
      expected: ['東京タワーに行く。', '大阪城を見る。'],
    },
    {
      because: 'an opening bracket goes with what it opens',
      text: '彼は今日東京駅で「大阪」',
      max: 10,
      expected: ['彼は今日東京駅で', '「大阪」'],
    },
    {
      because: 'a no-break space holds',
      text: 'Vous avez 10\u00a0000\u00a0€ ici',
      max: 12,
      expected: ['Vous avez', '10\u00a0000\u00a0€ ici'],
    },
  ])('$because', ({ text, max, expected }) => {
    expect(lines(text, max)).toEqual(expected);
  });
});
