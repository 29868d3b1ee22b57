import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFfmpeg } from '../../worker/audio/find-ffmpeg.ts';
import { type FileHost, hostFiles } from '../support/file-host.ts';
import { noise } from '../support/noises.ts';
import { type Service, startService } from '../support/service.ts';
import { sample, wordsOf, writeSamples, writeWav } from '../support/whisper-piece.ts';

const run = promisify(execFile);
const hello = sample('hello');
let service: Service;
let host: FileHost;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bad-input-'));
  const ffmpeg = (await findFfmpeg({})).path;
  const make = async (name: string, ...args: string[]): Promise<Buffer> => {
    const path = join(directory, name);
    await run(ffmpeg, ['-nostdin', '-y', '-loglevel', 'error', ...args, path]);
    return readFile(path);
  };
  await writeWav(join(directory, 'silence.wav'), [5_000]);
  await writeSamples(join(directory, 'noise.wav'), noise('pink', 5));
  const mp3 = await make('hello.mp3', '-i', hello.wav);
  host = await hostFiles({
    'page.mp3': { contentType: 'audio/mpeg', body: '<!doctype html><title>Log in</title>' },
    'text.mp3': { contentType: 'audio/mpeg', body: 'This is a text and no sound.\n'.repeat(100) },
    'empty.mp3': { contentType: 'audio/mpeg', body: '' },
    'truncated.mp3': { contentType: 'audio/mpeg', body: mp3.subarray(0, mp3.length / 2) },
    'mute.mp4': {
      body: await make('mute.mp4', '-f', 'lavfi', '-i', 'color=c=black:s=64x64:d=2:r=5', '-c:v', 'mpeg4'),
    },
    'short.wav': { body: await make('short.wav', '-i', hello.wav, '-t', '0.1') },
    'silence.wav': { body: await readFile(join(directory, 'silence.wav')) },
    'noise.wav': { body: await readFile(join(directory, 'noise.wav')) },
    'broken.mp3': { status: 500, body: 'no' },
    'hello.wav': { body: await readFile(hello.wav) },
  });
  service = await startService({
    env: {
      AUDIO_ALLOWED_NETWORKS: '127.0.0.0/8',
      MAX_ATTEMPTS: '2',
      RETRY_BASE_SECONDS: '0.05',
      RETRY_MAX_SECONDS: '0.1',
    },
  });
});
afterAll(async () => {
  await service?.stop();
  await host?.close();
  await rm(directory, { recursive: true, force: true });
});

/** A good recording is transcribed by the same server and worker. */
async function expectAllWell(): Promise<void> {
  const id = await service.jobs.accepted({ audio: { url: host.urlOf('hello.wav') } });
  const job = await service.jobs.finished(id);
  expect(job.status, JSON.stringify(job.failure)).toBe('COMPLETED');
  expect(wordsOf(job.transcript?.text ?? '')).toEqual(wordsOf(await readFile(hello.text, 'utf8')));
}

async function failureAt(url: string) {
  const job = await service.jobs.finished(await service.jobs.accepted({ audio: { url } }));
  expect(job.status).toBe('FAILED');
  expect(job.transcript).toBeNull();
  return { ...job.failure, attempts: job.attempts.length };
}

describe('a recording that cannot be transcribed', () => {
  it.each([
    ['is not there', 'absent.mp3', 'FETCH', 'FETCH_NOT_FOUND', 1],
    ['is a web page', 'page.mp3', 'AUDIO', 'AUDIO_IS_HTML', 1],
    ['is a text', 'text.mp3', 'AUDIO', 'AUDIO_UNREADABLE', 1],
    ['is empty', 'empty.mp3', 'AUDIO', 'AUDIO_EMPTY', 1],
    ['is a video without sound', 'mute.mp4', 'AUDIO', 'AUDIO_NO_STREAM', 1],
    ['is silent', 'silence.wav', 'NO_SPEECH', 'NO_SPEECH', 1],
    ['is loud noise', 'noise.wav', 'NO_SPEECH', 'NO_SPEECH', 1],
    ['is a tenth of a second', 'short.wav', 'NO_SPEECH', 'NO_SPEECH', 1],
    ['is cut short', 'truncated.mp3', 'AUDIO', 'AUDIO_TRUNCATED', 1],
    ['fails at its host, and is tried again', 'broken.mp3', 'FETCH', 'FETCH_SERVER_ERROR', 2],
  ])('because it %s fails for that reason', async (_, name, kind, code, attempts) => {
    const failure = await failureAt(host.urlOf(name));

    expect(failure).toMatchObject({ kind, code, attempts });
    expect(failure.message).toMatch(/^\S.{20,}\.$/s);
  });

  it.each([
    ['whose host has no name', 'https://no-such-host.invalid/a.mp3', 'FETCH_HOST_UNKNOWN'],
    ['whose port refuses connections', 'http://127.0.0.1:1/a.mp3', 'FETCH_CONNECTION'],
  ])('from a URL %s fails as not fetched', async (_, url, code) => {
    expect(await failureAt(url)).toMatchObject({ kind: 'FETCH', code });
  });

  it('leaves the server and the worker able to transcribe the next good one', expectAllWell);
});

describe('an invalid request', () => {
  it.each([
    ['no URL', { audio: { url: 'recording.mp3' } }, 'BAD_USER_INPUT'],
    ['a URL with another scheme', { audio: { url: 'ftp://example.com/a.mp3' } }, 'BAD_USER_INPUT'],
    ['no source', { audio: {} }, 'BAD_USER_INPUT'],
    ['an unknown field', { audio: { url: 'https://example.com/a.mp3' }, speed: 2 }, 'BAD_USER_INPUT'],
    ['a number for a text', { audio: { url: 17 } }, 'BAD_USER_INPUT'],
    ['nothing', null, 'BAD_USER_INPUT'],
  ])('with %s is refused before anything is stored', async (_, input, code) => {
    const { status, errors } = await service.client.post(
      'mutation Submit($input: SubmitJobInput!) { submitJob(input: $input) { __typename } }',
      { input },
    );

    expect(status).toBe(400);
    expect(errors[0]?.extensions?.code).toBe(code);
  });

  it.each([
    [
      'an unknown model',
      { model: 'large-v9' },
      { __typename: 'ValidationError', message: expect.stringContaining('demo') },
    ],
    ['a language the model lacks', { model: 'demo-76.en', language: 'de' }, { code: 'UNSUPPORTED' }],
    ['speakers from whisper', { diarize: true }, { code: 'UNSUPPORTED' }],
    ['an upload that is not there', { audio: { uploadId: 'upl_0' } }, { code: 'AUDIO_UNREACHABLE' }],
    ['too many tags', { tags: Array.from({ length: 11 }, String) }, { code: 'INVALID_INPUT' }],
  ])('with %s is refused by name', async (_, more, error) => {
    const outcome = await service.jobs.submit({ audio: { url: host.urlOf('hello.wav') }, ...more });

    expect(outcome).toMatchObject(error);
    expect(outcome.job).toBeUndefined();
  });

  it('of a megabyte is refused before it is read', async () => {
    const { status, errors } = await service.client.post(`{ models { name } } #${'x'.repeat(1024 ** 2)}`);

    expect(status).toBe(413);
    expect(errors[0]?.extensions?.code).toBe('REQUEST_TOO_LARGE');
  });

  it('leaves the server and the worker able to transcribe the next good one', expectAllWell);
});
