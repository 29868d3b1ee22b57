import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineText } from '../../../src/captions/caption-lines.ts';
import { type Cue, CueQueue } from '../../../src/captions/cue-queue.ts';
import type { CaptionPreset } from '../../../src/captions/export-options.ts';
import type { Segment } from '../../../src/domain/transcript.ts';
import { anyTranscript } from '../../support/any-transcript.ts';
import { aSegment, wordsOf } from '../../support/builders.ts';

interface Asked {
  readonly preset?: CaptionPreset;
  readonly language?: string;
  readonly namePrefix?: boolean;
}

function cuesOf(
  segments: readonly Segment[],
  { preset = 'WEB', language, namePrefix = false }: Asked = {},
): Cue[] {
  const rules = { maxCharsPerLine: null, maxLines: null, includeSpeakers: namePrefix, highlightWords: null };
  const queue = new CueQueue({ options: { preset, ...rules }, language: language ?? null, namePrefix });
  return [...queue.push(segments), ...queue.end()];
}

type Said = readonly [startMs: number, endMs: number, text: string, speaker?: string];

const segmentsOf = (...said: readonly Said[]): Segment[] =>
  said.map(([startMs, endMs, text, speaker = null], index) =>
    aSegment({ index, startMs, endMs, text, speaker }),
  );

const timesOf = (cues: readonly Cue[]) => cues.map(({ startMs, endMs }) => [startMs, endMs]);
const linesOf = (cues: readonly Cue[]) => cues.map(({ lines }) => lines.map((line) => lineText(line)));

describe('times of captions', () => {
  it('are long enough to be seen where the next caption leaves room, and no other caption moves', () => {
    const segments = segmentsOf(
      [1_000, 1_000, 'Yes.'],
      [5_000, 5_040, 'No.'],
      [9_000, 12_000, 'Long enough.'],
      [12_050, 12_060, 'Well.'],
      [12_200, 14_000, 'No room before this.'],
    );

    expect(timesOf(cuesOf(segments))).toEqual([
      [1_000, 1_833],
      [5_000, 5_833],
      [9_000, 12_000],
      [12_050, 12_200],
      [12_200, 14_000],
    ]);
  });

  it('end after the longest time', () => {
    expect(timesOf(cuesOf(segmentsOf([0, 30_000, 'Hm.'])))).toEqual([[0, 7_000]]);
  });

  it('go beyond the speech, but not far, where text takes longer to read', () => {
    const text = 'This was said much faster than anybody reads.';

    expect(timesOf(cuesOf(segmentsOf([0, 1_000, text], [9_000, 9_900, text])))).toEqual([
      [0, 1_500],
      [9_000, 10_400],
    ]);
  });

  it('take room after a segment that is too short for its captions', () => {
    const text = 'aaaa '.repeat(40);

    expect(timesOf(cuesOf(segmentsOf([0, 30, text], [60_000, 61_000, 'Next.'])))).toEqual([
      [0, 833],
      [833, 1_666],
      [1_666, 2_999],
      [60_000, 61_000],
    ]);
  });

  it('leave two frames and close short gaps for broadcast', () => {
    const segments = segmentsOf(
      [0, 2_000, 'One.'],
      [2_000, 4_000, 'Two.'],
      [4_900, 6_000, 'Three.'],
      [8_000, 9_000, 'Four.'],
    );

    expect(timesOf(cuesOf(segments, { preset: 'BROADCAST' }))).toEqual([
      [0, 1_916],
      [2_000, 4_816],
      [4_900, 6_000],
      [8_000, 9_000],
    ]);
  });
});

describe('captions of overlapping segments', () => {
  const segments = segmentsOf(
    [0, 10_000, 'I was thinking that we could maybe go there tomorrow and see what they have.', '0'],
    [2_000, 2_600, 'Mhm.', '1'],
    [10_000, 12_000, 'Sounds good?', '0'],
    [10_000, 12_000, 'Right, exactly.', '1'],
  );

  it('take turns, each long enough to be read, and name who speaks', () => {
    const cues = cuesOf(segments, { namePrefix: true });

    expect(linesOf(cues)).toEqual([
      ['Speaker 1: I was thinking that we could', 'maybe go there tomorrow'],
      ['Speaker 2: Mhm.'],
      ['Speaker 1: and see what they have.'],
      ['Speaker 1: Sounds good?'],
      ['Speaker 2: Right, exactly.'],
    ]);
    expect(timesOf(cues)).toEqual([
      [0, 3_200],
      [3_200, 4_033],
      [6_935, 10_000],
      [10_000, 11_200],
      [11_200, 12_500],
    ]);
  });

  it('never overlap, whatever the segments do', () => {
    fc.assert(
      fc.property(anyTranscript, fc.boolean(), (any, namePrefix) => {
        let previousEndMs = 0;
        for (const { startMs, endMs } of cuesOf(any, { namePrefix })) {
          expect(startMs).toBeGreaterThanOrEqual(previousEndMs);
          expect(endMs).toBeGreaterThan(startMs);
          previousEndMs = endMs;
        }
      }),
      { numRuns: 150 },
    );
  });

  it('keep up with two who talk at once for an hour', () => {
    const said = 'We talk and we talk and nobody ever stops to breathe or listen to the other at all.';
    const talk = Array.from({ length: 1_800 }, (_, index) => {
      const startMs = Math.floor(index / 2) * 4_000 + (index % 2) * 500;
      return aSegment({ index, startMs, endMs: startMs + 4_000, text: said, speaker: String(index % 2) });
    });

    const late = cuesOf(talk).map(({ startMs }, index) => startMs - (talk[index]?.startMs ?? 0));

    expect(Math.max(...late)).toBeLessThan(5_000);
  });
});

describe('where a segment is divided', () => {
  it('is after a sentence, else a clause, else a word', () => {
    const text =
      'Well, I told them that it would not work, and it did not. So we went home, had some tea, ' +
      'and talked about it for a while. In the end nobody was angry. It was late.';
    const segment = aSegment({ endMs: 16_000, text, words: wordsOf(text, 0, 16_000) });

    expect(linesOf(cuesOf([segment]))).toEqual([
      ['Well, I told them that it would not work,', 'and it did not.'],
      ['So we went home, had some tea, and talked', 'about it for a while.'],
      ['In the end nobody was angry. It was late.'],
    ]);
  });

  it('is in a pause where there is no punctuation', () => {
    const [before, after] = [
      'it is what we thought it would be and',
      'then nothing happened for a very long time at all',
    ];
    const words = [...wordsOf(before, 0, 3_000), ...wordsOf(after, 4_000, 7_500)];

    const cues = cuesOf([aSegment({ endMs: 7_500, text: `${before} ${after}`, words })]);

    expect(linesOf(cues).map((lines) => lines.join(' '))).toEqual([before, after]);
    expect(timesOf(cues)).toEqual([
      [0, 3_000],
      [4_000, 7_500],
    ]);
  });

  it('keeps each caption within the longest time', () => {
    const text = 'slow words that are spoken one after the other';
    const cues = cuesOf([aSegment({ endMs: 20_000, text, words: wordsOf(text, 0, 20_000) })]);

    expect(cues.length).toBeGreaterThanOrEqual(3);
    expect(cues.every(({ startMs, endMs }) => endMs - startMs <= 7_000)).toBe(true);
    expect(cues.at(-1)?.endMs).toBe(20_000);
  });
});

describe('lines of every script', () => {
  it.each([
    {
      script: 'Chinese',
      text: '今天天气很好，我们去公园散步吧。你觉得怎么样？明天可能会下雨。',
      expected: [['今天天气很好，我们去公园散步吧。', '你觉得怎么样？明天可能会下雨。']],
    },
    {
      script: 'Japanese',
      text: '今日は天気がいいですね。テレビを見ましょうか、それとも「東京タワー」に行きますか？',
      expected: [
        ['今日は天気がいいですね。', 'テレビを見ましょうか、'],
        ['それとも「東京タワー」に', '行きますか？'],
      ],
    },
    {
      script: 'Korean',
      text: '오늘은 날씨가 아주 좋네요. 점심을 먹고 나서 같이 산책할까요?',
      expected: [['오늘은 날씨가 아주 좋네요.'], ['점심을 먹고 나서 같이', '산책할까요?']],
    },
    {
      script: 'Thai',
      text: 'สวัสดีครับ วันนี้อากาศดีมาก เราไปเดินเล่นกันเถอะ แล้วก็กลับบ้านไปกินข้าว',
      expected: [['สวัสดีครับ วันนี้อากาศดีมาก เราไปเดินเล่นกัน', 'เถอะ แล้วก็กลับบ้านไปกินข้าว']],
    },
  ])('break between words at the length for $script', ({ text, expected }) => {
    expect(linesOf(cuesOf([aSegment({ endMs: 6_900, text })]))).toEqual(expected);
  });

  it('hold half as many wide characters among letters', () => {
    const text = `The word for tea is ${'茶'.repeat(9)} and nothing else.`;

    expect(linesOf(cuesOf([aSegment({ endMs: 4_000, text })]))).toEqual([
      [`The word for tea is ${'茶'.repeat(9)} and`, 'nothing else.'],
    ]);
  });

  it('take kanji for Japanese where the language says so', () => {
    const text = '東京大阪名古屋横浜京都神戸福岡札幌';

    const [chinese] = linesOf(cuesOf([aSegment({ text })], { language: 'zh' }));
    const [japanese] = linesOf(cuesOf([aSegment({ text })], { language: 'ja' }));

    expect(chinese?.[0]?.length).toBeGreaterThan(13);
    expect(japanese?.[0]?.length).toBeLessThanOrEqual(13);
  });
});

describe('a segment of 50,000 characters', () => {
  it.each([
    { of: 'words', text: 'word '.repeat(10_000) },
    { of: 'one word', text: 'a'.repeat(50_000) },
    { of: 'words without spaces', text: '漢字'.repeat(25_000) },
  ])('of $of is laid out whole, even when somebody speaks in between', ({ text }) => {
    const segments = segmentsOf([0, 10_000_000, text, '0'], [5, 9, 'Mhm.', '1']);

    const cues = cuesOf(segments, { namePrefix: true });

    const spoken = cues.flatMap(({ lines }) => lines.flat()).filter((unit) => unit.spoken);
    expect(spoken.map((unit) => unit.text).join('').length).toBe(
      text.replaceAll(' ', '').length + 'Mhm.'.length,
    );
  });
});
