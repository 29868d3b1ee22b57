import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cutAudio } from '../../worker/audio/cut-audio.ts';
import { decodeAudio } from '../../worker/audio/decode-audio.ts';
import { FfmpegMissingError, findFfmpeg } from '../../worker/audio/find-ffmpeg.ts';
import { WAV_HEADER_BYTES } from '../../worker/audio/wav.ts';
import { EngineError } from '../../worker/engines/engine.ts';
import { sample } from '../support/whisper-piece.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const HELLO_MS = 12_842;

/** The machine's ffmpeg, if any, and the one of 2018 that npm brings to a bare machine. */
const own = await findFfmpeg({});
const installer: { path: string } = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg');
const ffmpegs = [...new Set([own.path, installer.path])].map((path) => ({ path }));

let root: string;
let directory: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'decode-'));
});
beforeEach(async () => {
  directory = await mkdtemp(join(root, 'attempt-'));
});
afterAll(() => rm(root, { recursive: true }));

/** Makes a file with ffmpeg, in the format its name says. */
async function make(name: string, ...args: string[]): Promise<string> {
  const path = join(directory, name);
  await run(own.path, ['-nostdin', '-y', '-loglevel', 'error', ...args, path]);
  return path;
}

async function failureOf(promise: Promise<unknown>) {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EngineError)) throw new Error(`Expected an EngineError, got ${String(error)}`);
  return error.failure;
}

describe.each(ffmpegs)('decodeAudio with $path', ({ path: ffmpegPath }) => {
  const decode = (path: string, more: { maxDurationMs?: number; signal?: AbortSignal } = {}) =>
    decodeAudio(
      path,
      { directory, maxDurationMs: more.maxDurationMs ?? 3_600_000, ffmpegPath },
      more.signal ?? never,
    );

  test.each([
    ['a.mp3', 'mp3'],
    ['a.m4a', 'aac'],
    ['a.flac', 'flac'],
    ['a.ogg', 'vorbis'],
    ['a.webm', 'opus'],
    ['a.aiff', 'pcm_s16be'],
  ])('reads %s in full', async (name, codec) => {
    const source = await make(name, '-i', sample('hello').wav, '-ar', '48000', '-ac', '2');
    const decoded = await decode(source);
    expect(decoded).toMatchObject({ codec, sampleRate: 48_000, channels: 2, truncated: false });
    expect(Math.abs(decoded.durationMs - HELLO_MS)).toBeLessThan(150);
    const wav = await readFile(decoded.path);
    expect(wav.length).toBe((await stat(decoded.path)).size);
    expect(wav.readUInt32LE(24)).toBe(16_000);
    expect(wav.subarray(36, 40).toString()).toBe('data');
  });

  test('decodes the audio of a video, even if the video is longer', async () => {
    const source = await make(
      'a.mp4',
      ...['-f', 'lavfi', '-i', 'color=c=black:s=64x64:d=20:r=5', '-i', sample('hello').wav],
      ...['-c:v', 'mpeg4', '-c:a', 'aac'],
    );
    expect(Math.abs((await decode(source)).durationMs - HELLO_MS)).toBeLessThan(150);
  });

  test('reports what is wrong with a file that is not a recording', async () => {
    const text = join(directory, 'text.mp3');
    await writeFile(text, 'This is a text and no sound.\n'.repeat(100));
    const garbage = join(directory, 'garbage.mp3');
    await writeFile(garbage, Buffer.alloc(20_000, 'f00'));
    const empty = join(directory, 'empty.mp3');
    await writeFile(empty, '');
    const video = await make('v.mp4', '-f', 'lavfi', '-i', 'color=c=black:s=64x64:d=1:r=5', '-c:v', 'mpeg4');
    const playlist = join(directory, 'playlist.mp3');
    await writeFile(playlist, `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n${sample('hello').wav}\n`);

    for (const path of [text, garbage, playlist]) {
      const failure = await failureOf(decode(path));
      expect(failure).toMatchObject({ kind: 'AUDIO', code: 'AUDIO_UNREADABLE', retryable: false });
      expect(failure.detail).not.toContain(directory);
    }
    expect(await failureOf(decode(empty))).toMatchObject({ kind: 'AUDIO', code: 'AUDIO_EMPTY' });
    expect(await failureOf(decode(video))).toMatchObject({ kind: 'AUDIO', code: 'AUDIO_NO_STREAM' });
  });

  test.each([
    ['a.mp3', 'libmp3lame'],
    ['a.wav', 'pcm_s16le'],
    ['a.flac', 'flac'],
  ])('never passes off half of %s as the whole', async (name, codec) => {
    const source = await make(name, '-i', sample('hello').wav, '-c:a', codec);
    await truncate(source, Math.floor((await stat(source)).size / 2));
    const failure = await failureOf(decode(source));
    expect(failure).toMatchObject({ kind: 'AUDIO', retryable: false });
    expect(failure.code).toMatch(/AUDIO_TRUNCATED|AUDIO_UNREADABLE/);
  });

  test('refuses an m4a without its end, where the index is', async () => {
    const source = await make('a.m4a', '-i', sample('hello').wav);
    await truncate(source, Math.floor((await stat(source)).size / 2));
    expect(await failureOf(decode(source))).toMatchObject({ kind: 'AUDIO', code: 'AUDIO_UNREADABLE' });
  });

  test('refuses a recording that is too long', async () => {
    expect(await failureOf(decode(sample('hello').wav, { maxDurationMs: 5000 }))).toMatchObject({
      kind: 'AUDIO',
      code: 'AUDIO_TOO_LONG',
      retryable: false,
    });
  });

  test('decodes a tenth of a second', async () => {
    const source = await make('short.mp3', '-i', sample('hello').wav, '-t', '0.1');
    const { durationMs } = await decode(source);
    expect(durationMs).toBeGreaterThan(50);
    expect(durationMs).toBeLessThan(300);
  });

  test('ends with the reason of the signal', async () => {
    const source = await make('long.wav', '-f', 'lavfi', '-i', 'anoisesrc=d=600:r=48000');
    const cancel = new AbortController();
    const reason = new Error('canceled');
    const options = {
      directory,
      maxDurationMs: 3_600_000,
      ffmpegPath,
      onProgress: () => cancel.abort(reason),
    };
    await expect(decodeAudio(source, options, cancel.signal)).rejects.toBe(reason);
  });
});

test('a worker without a working ffmpeg reports it, with the remedy', async () => {
  const options = { directory, maxDurationMs: 1000, ffmpegPath: join(directory, 'none') };
  expect(await failureOf(decodeAudio(sample('hello').wav, options, never))).toMatchObject({
    code: 'DECODER_MISSING',
    retryable: true,
  });
  await expect(findFfmpeg({ FFMPEG_PATH: join(directory, 'none') })).rejects.toThrow(FfmpegMissingError);
});

test('the pieces of a recording are contiguous, cover it, and are written one by one', async () => {
  const out = join(directory, 'pieces');
  await mkdir(out);
  const pieces: { startMs: number; durationMs: number }[] = [];
  const sound: Buffer[] = [];
  const options = { fromMs: 1000, endMs: null, pieceMs: 10_000, directory: out };
  for await (const { path, startMs, durationMs } of cutAudio(sample('shift').wav, options, never)) {
    pieces.push({ startMs, durationMs });
    const wav = await readFile(path);
    expect(wav.length).toBe(WAV_HEADER_BYTES + durationMs * 32);
    sound.push(wav.subarray(WAV_HEADER_BYTES));
    await rm(path);
  }
  let next = 1000;
  for (const { startMs, durationMs } of pieces) {
    expect(startMs).toBe(next);
    next = startMs + durationMs;
  }
  expect(next).toBe(63_983);
  for (const { durationMs } of pieces.slice(0, -1))
    expect(Math.abs(durationMs - 10_000)).toBeLessThanOrEqual(2000);
  const whole = (await readFile(sample('shift').wav)).subarray(WAV_HEADER_BYTES);
  expect(Buffer.concat(sound).equals(whole.subarray(1000 * 32, 63_983 * 32))).toBe(true);
});
