import { describe, expect, test } from 'vitest';
import { whisperArguments } from '../../../../worker/engines/whisper/whisper-arguments.ts';
import { patchWhisperCli } from '../../../../worker/engines/whisper/whisper-cli-patch.ts';
import { toLanguageTag, toWhisperLanguage } from '../../../../worker/engines/whisper/whisper-languages.ts';
import {
  readWhisperJson,
  readWhisperLine,
  type Token,
} from '../../../../worker/engines/whisper/whisper-output.ts';
import { createSegmentFilter, mergeWords } from '../../../../worker/engines/whisper/whisper-segments.ts';

const latin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
const token = (text: string | Buffer, startMs: number, endMs: number, probability = 0.9): Token => ({
  bytes: Buffer.from(text as string),
  startMs,
  endMs,
  probability,
});
const raw = (startMs: number, endMs: number, text: string) => ({
  startMs,
  endMs,
  text,
  confidence: 0.9,
  tokens: null,
});

describe('readWhisperLine', () => {
  test('reads times, text and tokens of our build', () => {
    const coloured = '\x1b[38;5;71m hello\x1b[0m\x1b[38;5;71m world\x1b[0m';
    const line = `[01:00:00.100 --> 01:00:01.100]  ${coloured}\x1e6,100,500,0.9900;6,500,1090,0.8000;`;
    const segment = readWhisperLine(line);
    expect(segment).toMatchObject({
      startMs: 3_600_100,
      endMs: 3_601_100,
      text: 'hello world',
      confidence: 0.895,
    });
    expect(segment?.tokens?.map(({ bytes }) => bytes.toString())).toEqual([' hello', ' world']);
  });

  test('takes the confidence from the colours where there is nothing better', () => {
    const line = '[00:00:00.000 --> 00:00:01.000]  \x1b[38;5;71m yes\x1b[0m\x1b[38;5;160m no\x1b[0m';
    expect(readWhisperLine(line)).toMatchObject({ text: 'yes no', confidence: 0.695, tokens: null });
    expect(readWhisperLine('[00:00:00.000 --> 00:00:01.000]   plain')?.confidence).toBeNull();
  });

  test('puts characters together that colours have parted', () => {
    const [first, second] =
      ['é'].map((text) => [...Buffer.from(text)].map((byte) => String.fromCharCode(byte)))[0] ?? [];
    const line = `[00:00:00.000 --> 00:00:01.000]  \x1b[38;5;71m caf${first}\x1b[0m\x1b[38;5;71m${second}\x1b[0m`;
    expect(readWhisperLine(line)?.text).toBe('café');
    expect(readWhisperLine(`[00:00:00.000 --> 00:00:01.000]   ${latin1('日本')}`)?.text).toBe('日本');
  });

  test('ignores every other line', () => {
    for (const line of ['', 'whisper_init', '[BLANK]', '[00:00 --> 00:01] x']) {
      expect(readWhisperLine(line)).toBeNull();
    }
  });
});

describe('mergeWords', () => {
  test('begins a word at a space; it is as sure as its least sure token', () => {
    const tokens = [
      token(' trans', 0, 300, 0.9),
      token('cript', 300, 600, 0.7),
      token('.', 600, 600),
      token(' Ok', 700, 900),
    ];
    expect(mergeWords(tokens, { startMs: 0, endMs: 1000 })).toEqual([
      { startMs: 0, endMs: 600, text: 'transcript.', confidence: 0.7 },
      { startMs: 700, endMs: 900, text: 'Ok', confidence: 0.9 },
    ]);
  });

  test('keeps words in order and within their segment', () => {
    const tokens = [token(' a', 50, 400), token(' b', 300, 350), token(' c', 900, 2000)];
    const words = mergeWords(tokens, { startMs: 100, endMs: 1000 });
    expect(words.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
      [100, 400],
      [400, 400],
      [900, 1000],
    ]);
  });

  test('joins tokens that end within a character, and parts writing without spaces', () => {
    const bytes = Buffer.from('日本');
    const tokens = [
      token(bytes.subarray(0, 2), 0, 100),
      token(bytes.subarray(2, 3), 100, 200),
      token(bytes.subarray(3), 200, 300),
    ];
    expect(mergeWords(tokens, { startMs: 0, endMs: 300 }).map(({ text }) => text)).toEqual(['日', '本']);
  });
});

describe('the segment filter', () => {
  test('keeps segments in order, without overlap, within the piece', () => {
    const filter = createSegmentFilter(5000, false);
    const times = [raw(0, 1000, 'a'), raw(900, 2000, 'b'), raw(4000, 9000, 'c'), raw(6000, 7000, 'd')].map(
      filter,
    );
    expect(times.map((segment) => segment && [segment.startMs, segment.endMs])).toEqual([
      [0, 1000],
      [1000, 2000],
      [4000, 5000],
      null,
    ]);
  });

  test.each(['[BLANK_AUDIO]', '(music)', '*coughs*', '♪', '...', ''])(
    'drops %s, which is no speech',
    (text) => {
      expect(createSegmentFilter(5000, false)(raw(0, 1000, text))).toBeNull();
    },
  );

  test('keeps speech that only begins with brackets', () => {
    expect(createSegmentFilter(5000, false)(raw(0, 1000, '(laughs) Yes.'))?.text).toBe('(laughs) Yes.');
  });
});

test('readWhisperJson leaves out tokens that are no text, and refuses half a file', () => {
  const document = {
    result: { language: 'en' },
    transcription: [
      {
        offsets: { from: 0, to: 1000 },
        text: ' hello',
        tokens: [
          { text: '[_BEG_]', offsets: { from: 0, to: 0 }, p: 0.5 },
          { text: ' hello', offsets: { from: 100, to: 900 }, p: 0.98 },
        ],
      },
    ],
  };
  const text = JSON.stringify(document);
  expect(readWhisperJson(text)).toMatchObject({
    language: 'en',
    segments: [{ startMs: 0, endMs: 1000, text: 'hello', confidence: 0.98 }],
  });
  expect(() => readWhisperJson(text.slice(0, -10))).toThrow();
  expect(() => readWhisperJson('{}')).toThrow();
});

describe('whisperArguments', () => {
  const call = {
    modelPath: 'm.bin',
    wavPath: 'a.wav',
    outputPath: 'out',
    language: 'auto',
    translate: false,
    vocabulary: [],
  };
  const settings = { WHISPER_THREADS: 3, WHISPER_BEAM_SIZE: 5, WHISPER_ARGS: '', WORKER_SLOTS: 1 };

  test('turns context off and writes everything', () => {
    const args = whisperArguments(call, settings).join(' ');
    expect(args).toBe('-m m.bin -f a.wav -ojf -of out -l auto -mc 0 -bs 5 -t 3 -pc');
  });

  test('adds the vocabulary as a prompt, the translation and extra arguments', () => {
    const args = whisperArguments(
      { ...call, translate: true, vocabulary: ['Ada', '--help'] },
      { ...settings, WHISPER_ARGS: ' -ng  -fa ' },
    );
    expect(args.slice(-5)).toEqual(['-tr', '--prompt', 'Ada, --help.', '-ng', '-fa']);
  });

  test('finds voices with a model of its own where one is set, but not when words are timed', () => {
    const withModel = { ...settings, WHISPER_VAD_MODEL: 'silero.bin' };

    expect(whisperArguments(call, withModel).slice(-3)).toEqual(['--vad', '-vm', 'silero.bin']);
    expect(whisperArguments({ ...call, timestamps: 'WORD' }, withModel)).not.toContain('--vad');
  });

  test('searches as wide as told, and falls back to higher temperatures unless told not to', () => {
    const args = (changes: Partial<typeof settings>) =>
      whisperArguments(call, { ...settings, ...changes }).join(' ');

    expect(args({ WHISPER_BEAM_SIZE: 2 })).toContain(' -bs 2 ');
    expect(args({})).not.toMatch(/ -nf| -tpi| -tp /);
    expect(args({ WHISPER_ARGS: '-nf -dev 1' })).toMatch(/ -nf -dev 1$/);
  });

  test('keeps a prompt within what the model reads', () => {
    const args = whisperArguments({ ...call, vocabulary: Array(100).fill('supercalifragilistic') }, settings);
    expect(args.at(-1)?.length).toBeLessThan(610);
  });

  test('leaves a core free over all slots', () => {
    const threads = (slots: number) => {
      const args = whisperArguments(call, { ...settings, WHISPER_THREADS: undefined, WORKER_SLOTS: slots });
      return Number(args[args.indexOf('-t') + 1]);
    };
    expect(threads(1)).toBeGreaterThanOrEqual(1);
    expect(threads(64)).toBe(1);
  });
});

test('languages go by their first part, with the codes that whisper has of its own', () => {
  expect(['en-US', 'pt_BR', 'nb', 'jv', 'zh-Hant-TW', 'xx'].map(toWhisperLanguage)).toEqual([
    'en',
    'pt',
    'no',
    'jw',
    'zh',
    null,
  ]);
  expect(toLanguageTag('jw')).toBe('jv');
});

test('the patch refuses a source that is not the pinned one', () => {
  expect(() => patchWhisperCli('int main() {}')).toThrow(/no place/);
});
