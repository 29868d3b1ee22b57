import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExportOptions } from '../../src/captions/export-options.ts';
import { findFfmpeg } from '../../worker/audio/find-ffmpeg.ts';
import { aSegment } from '../support/builders.ts';
import { readSubRip, withoutMarks } from '../support/captions.ts';
import { writeTranscript } from '../support/write-transcript.ts';

const run = promisify(execFile);

/** The machine's ffmpeg, if any, and the one of 2018 that npm brings to a bare machine. */
const own = await findFfmpeg({});
const installer: { path: string } = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg');
const ffmpegs = [...new Set([own.path, installer.path])].map((path) => ({ path }));

const OPTIONS: ExportOptions = {
  preset: 'WEB',
  maxCharsPerLine: null,
  maxLines: null,
  includeSpeakers: false,
  highlightWords: null,
};

const TEXTS = [
  'go to File --> Export',
  'if x<y and y>z then',
  '{\\an8} top',
  '42',
  'see <b>bold</b> & <i>more',
  '{y:i} Why? {c:$0000ff}',
  '00:00:01,000 --> 00:00:02,000',
  '99 בלונים אדומים.',
  '今日は天気がいいですね。',
];

/** ffmpeg interprets a backslash in WebVTT, too, against the standard, so only SRT can guard it. */
const TEXTS_OF = { SRT: [...TEXTS, 'C:\\new \\N \\h'], VTT: TEXTS } as const;

/** Words, without the characters that SRT shows by others. */
const wordsIn = (text: string): string[] => withoutMarks(text).match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'captions-'));
});
afterAll(() => rm(directory, { recursive: true }));

describe.each(ffmpegs)('captions as ffmpeg plays them ($path)', ({ path }) => {
  it.each(['SRT', 'VTT'] as const)('keep their number, times and every word (%s)', async (format) => {
    const texts = TEXTS_OF[format];
    const segments = texts.map((text, index) => {
      return aSegment({ index, startMs: index * 3_000, endMs: (index + 1) * 3_000, text });
    });
    const file = join(directory, `talk.${format.toLowerCase()}`);
    await writeFile(file, writeTranscript(format, { language: null, durationMs: null }, segments, OPTIONS));

    const { stdout } = await run(path, ['-nostdin', '-loglevel', 'error', '-i', file, '-f', 'srt', '-']);

    const captions = readSubRip(stdout);
    expect(captions.map(({ startMs, endMs }) => [startMs, endMs])).toEqual(
      segments.map(({ startMs, endMs }) => [startMs, endMs]),
    );
    expect(captions.map(({ lines }) => wordsIn(lines.join(' ')))).toEqual(texts.map(wordsIn));
  });
});
