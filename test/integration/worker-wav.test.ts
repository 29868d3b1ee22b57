import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AudioPipeline } from '../../worker/audio/audio-pipeline.ts';
import type { WavEngine, WavPiece } from '../../worker/engines/engine.ts';
import { aCheckpoint } from '../support/builders.ts';
import { ends, segmentsOf, startWorkerRig, type WorkerRig } from '../support/worker-rig.ts';

const DURATION_MS = 10_000;
const PIECE_MS = 4_000;

let rig: WorkerRig;
beforeAll(async () => {
  rig = await startWorkerRig();
});
afterAll(() => rig.stop());

/** A recording of ten seconds of silence: the engine below invents the text. */
const audio: AudioPipeline = {
  async fetch(_, { directory }) {
    const path = join(directory, 'source');
    await writeFile(path, 'audio');
    return { path, sizeBytes: 5, sha256: 'f'.repeat(64), contentType: 'audio/mpeg' };
  },
  open: () => Promise.reject(new Error('wav engines do not open the source')),
  async decode(_, { directory }) {
    const path = join(directory, 'decoded.wav');
    await writeFile(path, 'wav');
    const form = { codec: 'mp3', sampleRate: 44_100, channels: 2, truncated: false };
    return { path, durationMs: DURATION_MS, ...form };
  },
  async *cut(_, { fromMs, directory }) {
    for (let startMs = fromMs; startMs < DURATION_MS; startMs += PIECE_MS) {
      const path = join(directory, `${startMs}.wav`);
      await writeFile(path, 'piece');
      yield { path, startMs, durationMs: Math.min(PIECE_MS, DURATION_MS - startMs) };
    }
  },
};

/** Reports one segment at the start of each piece except the second. */
function anEngine(pieces: WavPiece[]): WavEngine {
  return {
    engine: 'WHISPER',
    input: 'wav',
    device: 'test',
    available: true,
    models: async () => [{ name: 'test', languages: [], isDefault: true }],
    close: async () => undefined,
    async transcribe(piece, report) {
      pieces.push(piece);
      const silent = pieces.length === 2;
      const said = { startMs: 500, endMs: 1_500, speaker: null, confidence: null, words: null };
      if (!silent) report.segments([{ ...said, text: `piece ${pieces.length}` }]);
      report.progress(piece.durationMs);
      const language = silent ? 'xx' : 'de';
      return { language, languageConfidence: 0.8, model: 'test', requestId: null };
    },
  };
}

test('pieces become one transcript, a silent piece moves the checkpoint, and the first language is kept', async () => {
  const pieces: WavPiece[] = [];
  const worker = await rig.worker({ engine: anEngine(pieces), audio });
  const task = await rig.task('wav');
  const events = await rig.eventsUntil(task.jobId, ends);

  expect(segmentsOf(events).map(({ index, startMs, text }) => [index, startMs, text])).toEqual([
    [0, 500, 'piece 1'],
    [1, 8_500, 'piece 3'],
  ]);
  expect(pieces.map(({ language }) => language)).toEqual([null, 'de', 'de']);
  expect(events.find((event) => event.type === 'audio')).toMatchObject({
    durationMs: DURATION_MS,
    codec: 'mp3',
  });
  expect(events.at(-1)).toMatchObject({
    type: 'completed',
    checkpointMs: DURATION_MS,
    segmentCount: 2,
    language: 'de',
    languageConfidence: 0.8,
    model: 'test',
  });
  await rig.laneEmpty();
  const [own = ''] = await readdir(rig.directory);
  expect(await readdir(join(rig.directory, own))).toEqual([]);
  await worker.drain(0);
  expect(await readdir(rig.directory)).toEqual([]);
});

test('text that Postgres refuses is published with U+FFFD in its place', async () => {
  const engine = anEngine([]);
  const text = 'hello \0 world \ud83d';
  const said = { startMs: 500, endMs: 1_500, speaker: '\ud83d', confidence: null };
  const words = [{ startMs: 500, endMs: 1_500, text, confidence: null }];
  const odd: WavEngine = {
    ...engine,
    transcribe: async (piece, report, signal) => {
      report.segments([{ ...said, text, words }]);
      return { ...(await engine.transcribe(piece, report, signal)), requestId: '\0' };
    },
  };
  const worker = await rig.worker({ audio, engine: odd });
  const task = await rig.task('odd');
  const events = await rig.eventsUntil(task.jobId, ends);

  const stored = 'hello \ufffd world \ufffd';
  expect(segmentsOf(events)[0]).toMatchObject({ text: stored, speaker: '\ufffd', words: [{ text: stored }] });
  expect(events.at(-1)).toMatchObject({ type: 'completed', requestId: '\ufffd' });
  await worker.drain(0);
});

test('a run that resumes within a piece cuts from its checkpoint on', async () => {
  const pieces: WavPiece[] = [];
  const worker = await rig.worker({ engine: anEngine(pieces), audio });
  const resume = aCheckpoint({ segmentCount: 3, checkpointMs: 7_000, language: 'fr' });
  const task = await rig.task('wav', { attempt: 2, resume });
  const events = await rig.eventsUntil(task.jobId, ends);
  expect(pieces.map(({ durationMs, language }) => [durationMs, language])).toEqual([[3_000, 'fr']]);
  expect(segmentsOf(events)).toMatchObject([{ index: 3, startMs: 7_500, endMs: 8_500 }]);
  expect(events.at(-1)).toMatchObject({ type: 'completed', segmentCount: 4, language: 'fr' });
  await worker.drain(0);
});
