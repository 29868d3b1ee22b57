import { describe, expect, it } from 'vitest';
import { lineText, toCues } from '../../../src/captions/caption-lines.ts';
import { aSegment } from '../../support/builders.ts';

describe('line breaking', () => {
  const lines = (text: string, maxCharsPerLine: number): string[] =>
    [...toCues([aSegment({ endMs: 60_000, text })], { maxCharsPerLine, maxLines: 5, namePrefix: false })]
      .flatMap((cue) => cue.lines)
      .map((line) => lineText(line));

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
