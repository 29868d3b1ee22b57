import { describe, expect, it } from 'vitest';
import {
  EXPORT_FORMATS,
  type ExportFormat,
  type ExportOptions,
} from '../../../src/captions/export-options.ts';
import {
  contentTypeOf,
  fileExtensionOf,
  transcriptWriter,
} from '../../../src/captions/transcript-formats.ts';
import type { Segment } from '../../../src/domain/transcript.ts';
import { aSegment, wordsOf } from '../../support/builders.ts';
import { writeTranscript } from '../../support/write-transcript.ts';

const OPTIONS: ExportOptions = {
  preset: 'WEB',
  maxCharsPerLine: 42,
  maxLines: 2,
  includeSpeakers: false,
  highlightWords: false,
};

function format(name: ExportFormat, segments: Segment[], options: Partial<ExportOptions> = {}): string {
  const head = { language: 'en', durationMs: 61_500 };
  return writeTranscript(name, head, segments, { ...OPTIONS, ...options });
}

const DIALOGUE = [
  aSegment({ index: 0, startMs: 0, endMs: 1_500, text: 'How are you?', speaker: '0' }),
  aSegment({ index: 1, startMs: 1_500, endMs: 3_000, text: 'Fine, thanks.', speaker: '1' }),
];

describe('every format', () => {
  it.each(EXPORT_FORMATS)('has a content type and an extension (%s)', (name) => {
    expect(contentTypeOf(name)).toMatch(/^(text|application)\/[a-z-]+(; charset=utf-8)?$/);
    expect(fileExtensionOf(name)).toBe(name.toLowerCase());
  });

  it.each([
    { name: 'TXT', empty: '' },
    { name: 'SRT', empty: '' },
    { name: 'VTT', empty: 'WEBVTT\n\n' },
    { name: 'TSV', empty: '\ufeffstart\tend\ttext\n' },
    { name: 'JSON', empty: '{"language":"en","durationMs":61500,"segments":[\n]}\n' },
  ] as const)('is a valid file without segments ($name)', ({ name, empty }) => {
    expect(format(name, [])).toBe(empty);
  });

  it('is written piece by piece while segments are still read', () => {
    let read = 0;
    function* segments(): Generator<Segment> {
      for (const segment of [...DIALOGUE, aSegment({ index: 2, startMs: 3_000, endMs: 4_000 })]) {
        read += 1;
        yield segment;
      }
    }

    const writer = transcriptWriter('SRT', { language: null, durationMs: null }, OPTIONS);
    const pieces = writer.segments(segments());

    expect(pieces.next().value).toContain('How are you?');
    // When a caption ends depends on the start of the next one.
    expect(read).toBe(2);
  });

  it.each(EXPORT_FORMATS)('is the same whether its segments come at once or page by page (%s)', (name) => {
    const head = { language: 'en', durationMs: 61_500 };
    const overlapping = [...DIALOGUE, aSegment({ index: 2, startMs: 2_000, endMs: 4_000, text: 'Good.' })];
    const writer = transcriptWriter(name, head, OPTIONS);
    const pages = overlapping.flatMap((segment) => [...writer.segments([segment])]);

    expect(writer.head + pages.join('') + writer.end()).toBe(format(name, overlapping));
  });
});

describe('TXT', () => {
  it('has one line a segment and none for silence', () => {
    const segments = [
      aSegment({ text: ' One\ntwo. ' }),
      aSegment({ text: ' \t ' }),
      aSegment({ text: 'Three.' }),
    ];

    expect(format('TXT', segments)).toBe('One two.\nThree.\n');
  });

  it('names the speakers when asked', () => {
    expect(format('TXT', DIALOGUE, { includeSpeakers: true })).toBe(
      'Speaker 1: How are you?\nSpeaker 2: Fine, thanks.\n',
    );
  });
});

describe('SRT', () => {
  it('numbers captions from 1 and writes times with a comma', () => {
    expect(format('SRT', DIALOGUE)).toBe(
      '1\n00:00:00,000 --> 00:00:01,500\nHow are you?\n\n' +
        '2\n00:00:01,500 --> 00:00:03,000\nFine, thanks.\n\n',
    );
  });

  it.each([
    { ms: 59_999, clock: '00:00:59,999' },
    { ms: 60_000, clock: '00:01:00,000' },
    { ms: 3_600_000, clock: '01:00:00,000' },
    { ms: 359_999_999, clock: '99:59:59,999' },
    { ms: 360_000_000, clock: '100:00:00,000' },
  ])('writes $ms ms as $clock', ({ ms, clock }) => {
    expect(format('SRT', [aSegment({ startMs: ms, endMs: ms + 1 })])).toContain(`\n${clock} --> `);
  });

  it('puts the speaker in front', () => {
    expect(format('SRT', DIALOGUE, { includeSpeakers: true })).toContain('\nSpeaker 2: Fine, thanks.\n');
  });

  it('breaks lines between words and a long segment into captions at the times of its words', () => {
    const text = 'one two three four five six';
    const words = wordsOf(text, 1_000, 7_000);

    const file = format('SRT', [aSegment({ startMs: 1_000, endMs: 8_000, text, words })], {
      maxCharsPerLine: 10,
      maxLines: 2,
    });

    expect(file).toBe(
      '1\n00:00:01,000 --> 00:00:05,000\none two\nthree four\n\n' +
        '2\n00:00:05,000 --> 00:00:08,000\nfive six\n\n',
    );
  });

  it('gives captions times by their share of the characters where no word has one', () => {
    const file = format('SRT', [aSegment({ startMs: 0, endMs: 8_000, text: 'aaaaaaaaa bbbbbbbbb cccccc' })], {
      maxCharsPerLine: 10,
      maxLines: 1,
    });

    expect(file.match(/.* --> .*/g)).toEqual([
      '00:00:00,000 --> 00:00:03,000',
      '00:00:03,000 --> 00:00:06,000',
      '00:00:06,000 --> 00:00:08,000',
    ]);
  });

  it('underlines each word while it is spoken, and none in a pause', () => {
    const words = [
      { startMs: 100, endMs: 500, text: 'Hello', confidence: null },
      { startMs: 700, endMs: 1_000, text: 'there.', confidence: null },
    ];

    const file = format('SRT', [aSegment({ endMs: 1_000, words })], { highlightWords: true });

    expect(file).toBe(
      '1\n00:00:00,000 --> 00:00:00,100\nHello there.\n\n' +
        '2\n00:00:00,100 --> 00:00:00,500\n<u>Hello</u> there.\n\n' +
        '3\n00:00:00,500 --> 00:00:00,700\nHello there.\n\n' +
        '4\n00:00:00,700 --> 00:00:01,000\nHello <u>there.</u>\n\n',
    );
  });

  it('invents no highlights where words have no times', () => {
    expect(format('SRT', [aSegment()], { highlightWords: true })).toBe(format('SRT', [aSegment()]));
  });

  it('gives a segment of no length a caption that overlaps nothing', () => {
    const segments = [
      aSegment({ startMs: 500, endMs: 500, text: 'Oh.' }),
      aSegment({ index: 1, startMs: 500, endMs: 900, text: 'Right.' }),
    ];

    expect(format('SRT', segments).match(/.* --> .*/g)).toEqual([
      '00:00:00,500 --> 00:00:00,501',
      '00:00:00,501 --> 00:00:01,334',
    ]);
  });
});

describe('WebVTT', () => {
  it('opens with its header and writes times with a point', () => {
    expect(format('VTT', [aSegment({ startMs: 3_661_001, endMs: 3_662_000 })])).toBe(
      'WEBVTT\n\n01:01:01.001 --> 01:01:02.000\nHello there.\n\n',
    );
  });

  it('escapes what would be markup, and the arrow that would end a cue', () => {
    expect(format('VTT', [aSegment({ text: 'a < b & c --> d' })])).toContain('\na &lt; b &amp; c --&gt; d\n');
  });

  it('keeps a blank line inside the text from ending the cue', () => {
    expect(format('VTT', [aSegment({ text: 'one\n\ntwo\u0000\u2028three' })])).toContain('\none two three\n');
  });

  it('names the voice of each cue when asked', () => {
    expect(format('VTT', DIALOGUE, { includeSpeakers: true })).toContain(
      '00:00:01.500 --> 00:00:03.000\n<v Speaker 2>Fine, thanks.</v>\n',
    );
  });

  it('escapes the name of a voice', () => {
    const file = format('VTT', [aSegment({ speaker: 'a>b\nc' })], { includeSpeakers: true });

    expect(file).toContain('<v Speaker a&gt;b c>Hello there.</v>');
  });

  it('marks words with timestamps that increase strictly inside the cue', () => {
    const words = [
      { startMs: 0, endMs: 400, text: 'Hello', confidence: null },
      { startMs: 400, endMs: 900, text: 'you', confidence: null },
      { startMs: 400, endMs: 900, text: 'there.', confidence: null },
    ];

    const file = format('VTT', [aSegment({ endMs: 1_000, text: 'Hello you there.', words })], {
      highlightWords: true,
    });

    expect(file).toContain('\n<c>Hello</c> <00:00:00.400><c>you</c> <c>there.</c>\n');
  });
});

describe('JSON', () => {
  it('holds the language, the duration, and every segment with its words', () => {
    const segments = [
      aSegment({ words: wordsOf('Hello there.', 0, 2_000), speaker: '0' }),
      aSegment({ index: 1, startMs: 2_000, endMs: 2_000, text: '' }),
    ];

    expect(JSON.parse(format('JSON', segments))).toEqual({ language: 'en', durationMs: 61_500, segments });
  });

  it('says null for what is not known', () => {
    const file = writeTranscript('JSON', { language: null, durationMs: null }, [], OPTIONS);

    expect(JSON.parse(file)).toEqual({ language: null, durationMs: null, segments: [] });
  });
});

describe('TSV', () => {
  it('has milliseconds and text, with tabs and newlines made spaces', () => {
    expect(format('TSV', [aSegment({ text: 'Hello\tthere.\r\nYou.' })])).toBe(
      '\ufeffstart\tend\ttext\n0\t2000\tHello there. You.\n',
    );
  });

  it('has a column for the speaker when asked', () => {
    expect(format('TSV', DIALOGUE, { includeSpeakers: true })).toContain(
      '\n0\t1500\tSpeaker 1\tHow are you?\n',
    );
  });

  it.each([
    ['=1+1', "'=1+1"],
    ['+49 170', "'+49 170"],
    ['-5', "'-5"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['＝1+1', "'＝1+1"],
    ['"Quoted," she said', '\'"Quoted," she said'],
    ["'=1+1", "''=1+1"],
    ['café – naïve', 'café – naïve'],
    ["'Tis 1-1=0", "'Tis 1-1=0"],
    ['a\tb', 'a b'],
  ])('makes %s a cell that no spreadsheet runs', (text, cell) => {
    expect(format('TSV', [aSegment({ text })])).toBe(`\ufeffstart\tend\ttext\n0\t2000\t${cell}\n`);
  });

  it('keeps the true times of segments that overlap or are too short to be seen', () => {
    const segments = [
      aSegment({ startMs: 1_000, endMs: 1_000 }),
      aSegment({ index: 1, startMs: 5_000, endMs: 5_040 }),
      aSegment({ index: 2, startMs: 5_010, endMs: 90_000 }),
    ];
    const rows = format('TSV', segments).split('\n').slice(1, -1);

    expect(rows.map((row) => row.split('\t').slice(0, 2).map(Number))).toEqual([
      [1_000, 1_000],
      [5_000, 5_040],
      [5_010, 90_000],
    ]);
    expect(JSON.parse(format('JSON', segments))).toMatchObject({ segments });
  });
});
