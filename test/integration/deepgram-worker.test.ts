import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decode } from '../../src/contract/codec.ts';
import { ProgressMessage, type TaskMessage, WorkerAnnouncement } from '../../src/contract/messages.ts';
import { announcementSubject, liveProgressSubject } from '../../src/contract/subjects.ts';
import { ensureLanes } from '../../src/messaging/streams.ts';
import { WAV_BYTES_PER_MS, WAV_HEADER_BYTES } from '../../worker/audio/wav.ts';
import { createDeepgramEngine, type DeepgramTuning } from '../../worker/engines/deepgram/deepgram-engine.ts';
import { aTask } from '../support/builders.ts';
import { type DeepgramStandIn, startDeepgramStandIn } from '../support/deepgram-stand-in.ts';
import { aWorkerConfig } from '../support/engine-probe.ts';
import { sample } from '../support/whisper-piece.ts';
import {
  ends,
  eventually,
  segmentsOf,
  startWorkerRig,
  typesOf,
  type WorkerRig,
} from '../support/worker-rig.ts';

const recording = randomBytes(300_000);
let body = recording;

let rig: WorkerRig;
let deepgram: DeepgramStandIn;
let uploads: Server;
let audio: TaskMessage['audio'];

beforeAll(async () => {
  rig = await startWorkerRig();
  await ensureLanes(rig.nc, 'deepgram', { concurrency: 50, ackWaitMs: 1500 });
  deepgram = await startDeepgramStandIn();
  uploads = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'audio/wav', 'content-length': body.byteLength });
    response.end(body);
  });
  await once(uploads.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(uploads.address() as AddressInfo).port}/upload`;
  audio = { ...aTask().audio, kind: 'upload', url, sizeBytes: recording.byteLength };
});

afterAll(async () => {
  await rig.stop();
  await deepgram.close();
  uploads.close();
  uploads.closeAllConnections();
});

async function aWorker(env: NodeJS.ProcessEnv = {}, tuning: Partial<DeepgramTuning> = {}) {
  const config = aWorkerConfig({
    DEEPGRAM_API_KEY: deepgram.apiKey,
    DEEPGRAM_BASE_URL: deepgram.baseUrl,
    ...env,
  });
  const engine = await createDeepgramEngine(config, rig.log, tuning);
  const worker = await rig.worker({ engine });
  return { engine, stop: () => worker.drain(0).then(() => worker.connection.close()) };
}

const anUpload = (change: Partial<TaskMessage> = {}) =>
  rig.task('', { engine: 'DEEPGRAM', audio, ...change });

test('an upload passes through the worker to Deepgram, and its bill can be traced', async () => {
  const worker = await aWorker();
  const task = await anUpload({ options: { ...aTask().options, diarize: true } });

  const events = await rig.eventsUntil(task.jobId, ends);

  expect(typesOf(events)).toEqual(['started', 'audio', 'segments', 'completed']);
  expect(segmentsOf(events).map((segment) => segment.speaker)).toEqual(['0', '1', '0']);
  expect(events.at(-1)).toMatchObject({
    model: 'general-nova-3',
    language: 'en',
    languageConfidence: 0.97,
    durationMs: 12_500,
  });
  expect(events.at(-1)).toHaveProperty('requestId', expect.stringMatching(/^[0-9a-f-]{36}$/));
  expect(deepgram.requests.at(-1)?.sha256).toBe(createHash('sha256').update(recording).digest('hex'));
  await worker.stop();
});

test('progress is held and called an estimate while Deepgram works', async () => {
  const worker = await aWorker();
  let release: () => void = () => {};
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  deepgram.next({ kind: 'stall', at: 'request', until });
  const progress: ProgressMessage[] = [];
  rig.nc.subscribe(liveProgressSubject('*'), {
    callback: (_, message) => void progress.push(decode(ProgressMessage, message.data)),
  });

  const task = await anUpload();
  const own = () =>
    progress.filter((progress) => progress.jobId === task.jobId && progress.stage === 'TRANSCRIBING');
  await eventually(
    () => own().filter((progress) => progress.estimated).length >= 2,
    'two estimated progress',
  );
  expect(own().every((progress) => progress.processedMs === 0 && progress.realtimeFactor === null)).toBe(
    true,
  );
  release();

  expect((await rig.eventsUntil(task.jobId, ends)).at(-1)?.type).toBe('completed');
  await worker.stop();
});

test('the time left is estimated from the speed measured before and the length in a WAV header', async () => {
  const worker = await aWorker();
  body = await readFile(sample('hello').wav);
  const seconds = (body.byteLength - WAV_HEADER_BYTES) / WAV_BYTES_PER_MS / 1000;
  const progress: ProgressMessage[] = [];
  rig.nc.subscribe(liveProgressSubject('*'), {
    callback: (_, message) => void progress.push(decode(ProgressMessage, message.data)),
  });
  async function estimatesOfAJob(): Promise<readonly ProgressMessage[]> {
    let release: () => void = () => {};
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    deepgram.next({ kind: 'stall', at: 'request', until });
    const task = await anUpload({ audio: { ...audio, sizeBytes: body.byteLength } });
    const known = () =>
      progress.filter(
        (progress) => progress.jobId === task.jobId && progress.estimated && progress.totalMs !== null,
      );
    await eventually(() => known().length >= 3, 'three estimated progress with the length');
    release();
    await rig.eventsUntil(task.jobId, ends);
    return known();
  }

  const first = await estimatesOfAJob();
  const second = await estimatesOfAJob();

  expect(first[0]).toMatchObject({ totalMs: Math.floor(seconds * 1000), etaMs: null, processedMs: 0 });
  expect(second[0]?.etaMs).toBeGreaterThan(0);
  body = recording;
  await worker.stop();
});

test('a recording longer than allowed fails, and what it cost can be traced', async () => {
  const worker = await aWorker();
  const limits = { ...aTask().limits, maxAudioMs: 12_000 };
  const task = await anUpload({ limits });

  const events = await rig.eventsUntil(task.jobId, ends);

  expect(typesOf(events)).toEqual(['started', 'failed']);
  expect(events.at(-1)).toMatchObject({
    failure: { kind: 'AUDIO', code: 'AUDIO_TOO_LONG', retryable: false },
    requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
  await worker.stop();
});

test('a recording known to be longer than allowed is not sent at all', async () => {
  const worker = await aWorker();
  const askedBefore = deepgram.requests.length;
  const limits = { ...aTask().limits, maxAudioMs: 12_000 };
  const task = await anUpload({ limits, audio: { ...audio, durationMs: 12_500 } });

  const events = await rig.eventsUntil(task.jobId, ends);

  expect(events.at(-1)).toMatchObject({ failure: { code: 'AUDIO_TOO_LONG' } });
  expect(deepgram.requests.length).toBe(askedBefore);
  await worker.stop();
});

test('a 429 tells the server when to try again', async () => {
  const worker = await aWorker();
  deepgram.next({ kind: 'status', status: 429, headers: { 'retry-after': '7' } });
  const task = await anUpload();

  const events = await rig.eventsUntil(task.jobId, ends);

  expect(events.at(-1)).toMatchObject({
    type: 'failed',
    failure: { kind: 'RATE_LIMITED', retryable: true, retryAfterMs: 7000 },
  });
  await worker.stop();
});

test('jobs wait while the breaker is open, and go on when the probe succeeds', async () => {
  const worker = await aWorker({}, { failureThreshold: 1, openMs: 1000 });
  deepgram.next({ kind: 'status', status: 503 });
  const first = await anUpload();
  expect((await rig.eventsUntil(first.jobId, ends)).at(-1)).toMatchObject({
    failure: { code: 'DEEPGRAM_UNAVAILABLE' },
  });
  const askedBefore = deepgram.requests.length;

  const second = await anUpload();
  const events = await rig.eventsUntil(second.jobId, ends);

  expect(events.map((event) => event.type)).toEqual(['started', 'audio', 'segments', 'completed']);
  expect(deepgram.requests.length).toBe(askedBefore + 1);
  expect(worker.engine.breakerState).toBe('closed');
  await worker.stop();
});

test('a wrong key fails one job for good, and the worker announces that it takes no more', async () => {
  const seen: WorkerAnnouncement[] = [];
  rig.nc.subscribe(announcementSubject('deepgram'), {
    callback: (_, message) => void seen.push(decode(WorkerAnnouncement, message.data)),
  });
  const worker = await aWorker({ DEEPGRAM_API_KEY: 'wrong' });
  const task = await anUpload();

  const events = await rig.eventsUntil(task.jobId, ends);

  expect(events.at(-1)).toMatchObject({ failure: { code: 'DEEPGRAM_KEY_INVALID', retryable: false } });
  await eventually(() => seen.at(-1)?.engineAvailable === false, 'an announcement of the open breaker');
  await worker.stop();
});

test('a worker without a key ends at once and says what it needs', async () => {
  const program = fileURLToPath(new URL('../../worker/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program, '--engine', 'deepgram'], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  });

  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);

  expect(code).toBe(2);
  expect(said).toContain('DEEPGRAM_API_KEY is not set');
});
