import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '../../src/observability/logger.ts';
import { createWhisperEngine } from '../../worker/engines/whisper/whisper-engine.ts';
import { aWorkerConfig } from '../support/engine-probe.ts';
import { aPiece, sample, writeWav } from '../support/whisper-piece.ts';
import { describeEngine } from './engine-suite.ts';

describeEngine('whisper.cpp', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'whisper-'));
  const speech = { path: join(directory, 'speech.wav'), workDirectory: directory };
  const durationMs = await writeWav(speech.path, [sample('hello').wav]);
  const long = { path: join(directory, 'long.wav'), workDirectory: directory };
  const longMs = await writeWav(long.path, [sample('shift').wav, sample('shift').wav]);
  const garbage = join(directory, 'garbage.wav');
  await writeFile(garbage, Buffer.alloc(100_000, 'no sound'));
  const log = createLogger('test', 'silent');
  const signal = new AbortController().signal;
  return {
    engine: await createWhisperEngine(aWorkerConfig(), log, () => {}, signal),
    speech: ({ timestamps }) => aPiece({ ...speech, durationMs, options: { timestamps } }),
    speechDurationMs: durationMs,
    long: (report) => ({ input: aPiece({ ...long, durationMs: longMs }), busy: report.first }),
    failing: [
      {
        name: 'a language the model does not know',
        kind: 'UNSUPPORTED',
        input: () => aPiece({ ...speech, durationMs, language: 'fr' }),
      },
      {
        name: 'an unknown model',
        kind: 'UNSUPPORTED',
        input: () => aPiece({ ...speech, durationMs, options: { model: 'nope' } }),
      },
      {
        name: 'no sound file, for which whisper-cli exits with 0',
        kind: 'ENGINE_UNAVAILABLE',
        input: () => aPiece({ ...speech, path: garbage, durationMs: 3000 }),
      },
    ],
    dispose: () => rm(directory, { recursive: true }),
  };
});
