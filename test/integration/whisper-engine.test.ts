import { chmod, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cacheDirectory } from '../../src/config/cache-directory.ts';
import { textOf } from '../../src/domain/transcript.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { EngineError, type WavEngine, type WavPiece } from '../../worker/engines/engine.ts';
import { findWhisper } from '../../worker/engines/whisper/find-whisper.ts';
import { createWhisperEngine } from '../../worker/engines/whisper/whisper-engine.ts';
import { aWorkerConfig, recordReport } from '../support/engine-probe.ts';
import { NOISES, type NoiseName, noise } from '../support/noises.ts';
import { aPiece, sample, wordsOf, writeSamples, writeWav } from '../support/whisper-piece.ts';

const never = new AbortController().signal;
const log = createLogger('test', 'silent');
const start = (env: NodeJS.ProcessEnv) => createWhisperEngine(aWorkerConfig(env), log, () => {}, never);

let root: string;
let directory: string;
let engine: WavEngine;
let whisperCli: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'whisper-'));
  const options = { target: 'native' as const, cacheDirectory: cacheDirectory({}), onStatus: () => {} };
  whisperCli = (await findWhisper(undefined, options, never)).command[0];
  engine = await start({});
}, 600_000);

beforeEach(async () => {
  directory = await mkdtemp(join(root, 'piece-'));
});

afterAll(() => rm(root, { recursive: true }));

async function pieceOf(
  parts: readonly (string | number)[],
  changes: Partial<Parameters<typeof aPiece>[0]> = {},
): Promise<WavPiece> {
  const path = join(directory, 'piece.wav');
  return aPiece({ path, durationMs: await writeWav(path, parts), workDirectory: directory, ...changes });
}

async function transcribe(piece: WavPiece, by: WavEngine = engine) {
  const report = recordReport();
  const result = await by.transcribe(piece, report, never);
  return { report, result, segments: report.allSegments };
}

/** A whisper-cli that is a script. */
async function fakeCli(script: string): Promise<string> {
  const path = join(directory, 'fake-cli');
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
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

describe('the whisper engine', () => {
  test.each(['hello', 'shift'] as const)('writes down %s word for word, segment by segment', async (name) => {
    const { report, result, segments } = await transcribe(await pieceOf([sample(name).wav]));

    expect(wordsOf(textOf(segments))).toEqual(wordsOf(await readFile(sample(name).text, 'utf8')));
    expect(report.batches.length).toBeGreaterThan(5);
    expect(segments.every(({ confidence }) => (confidence ?? 0) > 0.5)).toBe(true);
    expect(result).toMatchObject({ language: 'en', model: 'demo-76.en' });
    expect(await readdir(directory)).toEqual(['piece.wav']);
  });

  test('times every word when asked, the same on our build and on an unpatched whisper-cli', async () => {
    const unpatched = await fakeCli(`exec env -u TRANSCRIPTION_SERVICE_TOKENS ${whisperCli} "$@"`);
    const piece = await pieceOf([sample('hello').wav], { options: { timestamps: 'WORD' } });

    const ours = await transcribe(piece);
    const theirs = await transcribe(piece, await start({ WHISPER_BIN: unpatched }));

    const words = ours.segments.flatMap((segment) => segment.words ?? []);
    expect(words.map((word) => word.text)).toEqual(wordsOf(await readFile(sample('hello').text, 'utf8')));
    expect(ours.report.batches.length).toBeGreaterThan(5);
    expect(theirs.report.batches.length).toBe(1);
    expect(
      theirs.segments.map(({ words: timed }) => timed?.map(({ text, startMs }) => [text, startMs])),
    ).toEqual(ours.segments.map(({ words: timed }) => timed?.map(({ text, startMs }) => [text, startMs])));
  });

  test('tells segments and confidence live with an unpatched whisper-cli', async () => {
    const unpatched = await fakeCli(`exec env -u TRANSCRIPTION_SERVICE_TOKENS ${whisperCli} "$@"`);
    const by = await start({ WHISPER_BIN: unpatched });

    const { report, segments } = await transcribe(await pieceOf([sample('hello').wav]), by);

    expect(report.batches.length).toBeGreaterThan(5);
    expect(segments.every(({ confidence }) => (confidence ?? 0) > 0.5)).toBe(true);
  });

  test('says nothing in silence', async () => {
    const { report, segments, result } = await transcribe(await pieceOf([5000]));

    expect(segments).toEqual([]);
    expect(report.progressMs).toEqual([5000]);
    expect(result.language).toBeNull();
  });

  test.each(Object.keys(NOISES) as NoiseName[])('says nothing in %s, however loud', async (name) => {
    const path = join(directory, 'noise.wav');
    await writeSamples(path, noise(name, 20));

    const { segments, result } = await transcribe(await pieceOf([path]));

    expect(segments).toEqual([]);
    expect(result.language).toBeNull();
  });

  test('writes down what is said after half a minute of noise, at its time, and nothing before', async () => {
    const path = join(directory, 'noise.wav');
    await writeSamples(path, noise('pink', 32));
    const options = { timestamps: 'WORD' as const };

    const alone = await transcribe(await pieceOf([sample('hello').wav], { options }));
    const after = await transcribe(await pieceOf([path, sample('hello').wav], { options }));

    expect(wordsOf(textOf(after.segments))).toEqual(wordsOf(textOf(alone.segments)));
    const starts = ({ segments }: typeof alone) =>
      segments.flatMap(({ words }) => words?.map(({ startMs }) => startMs) ?? []);
    for (const [at, startMs] of starts(after).entries()) {
      expect(Math.abs(startMs - 32_000 - (starts(alone)[at] ?? 0))).toBeLessThan(1000);
    }
  });

  test('leaves noise to the model when it is told to', async () => {
    const path = join(directory, 'noise.wav');
    await writeSamples(path, noise('pink', 5));

    const { segments } = await transcribe(await pieceOf([path]), await start({ WHISPER_NOISE_CHECK: 'off' }));

    expect(segments.length).toBeGreaterThan(0);
  });

  test('keeps the times right after a long pause', async () => {
    const { segments } = await transcribe(await pieceOf([sample('hello').wav, 8000, sample('hello').wav]));

    const starts = segments.filter(({ text }) => text.startsWith('hello')).map(({ startMs }) => startMs);
    expect(starts).toHaveLength(2);
    expect(Math.abs((starts[1] ?? 0) - (starts[0] ?? 0) - 20_843)).toBeLessThan(500);
  });

  test('takes a tenth of a second of sound', async () => {
    const whole = await readFile(sample('hello').wav);
    const short = join(directory, 'short.wav');
    await writeFile(short, whole.subarray(0, 44 + 32 * 500).subarray(-32 * 100));
    const { report, segments } = await transcribe(await pieceOf([short]));

    expect(segments.every(({ endMs }) => endMs <= 100)).toBe(true);
    expect(report.progressMs.at(-1)).toBeLessThanOrEqual(100);
  });

  test('detects the language with a multilingual model, and keeps one that is known', async () => {
    const models = join(directory, 'models');
    await cp(
      join(import.meta.dirname, '../../models/demo/ggml-demo-76.en.bin'),
      join(models, 'ggml-many.bin'),
    );
    const cli = await fakeCli(`
      echo "$@" > ${directory}/arguments
      while [ "$1" != -of ]; do shift; done
      echo 'whisper_full: auto-detected language: de (p = 0.970000)' >&2
      echo '{"result":{"language":"de"},"transcription":[]}' > "$2.json"`);
    const by = await start({ WHISPER_BIN: cli, MODELS_DIR: models, WHISPER_MODEL: 'many' });
    const used = async () => (await readFile(join(directory, 'arguments'), 'utf8')).trim();

    const { result } = await transcribe(await pieceOf([sample('hello').wav]), by);
    expect(result).toMatchObject({ language: 'de', languageConfidence: 0.97, model: 'many' });
    expect(await used()).toContain('-l auto -mc 0');

    const options = { translateToEnglish: true, vocabulary: ['Ada', 'Grace'] };
    await transcribe(await pieceOf([sample('hello').wav], { language: 'pt-BR', options }), by);
    expect(await used()).toMatch(/-l pt .*-tr --prompt Ada, Grace\.$/);
  });

  test('leaves no child behind when it is aborted', async () => {
    const pidFile = join(directory, 'pid');
    const by = await start({ WHISPER_BIN: await fakeCli(`echo $$ > ${pidFile}; exec ${whisperCli} "$@"`) });
    const cancel = new AbortController();
    const report = recordReport();
    const call = by.transcribe(await pieceOf([sample('shift').wav]), report, cancel.signal);
    await report.first;

    const reason = new Error('canceled');
    cancel.abort(reason);
    await expect(call).rejects.toBe(reason);

    const pid = Number(await readFile(pidFile, 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  test.each([
    ['kill -9 $$', 'OUT_OF_MEMORY', 'ENGINE_OUT_OF_MEMORY'],
    ['kill -11 $$', 'ENGINE_UNAVAILABLE', 'ENGINE_CRASHED'],
    ['kill -6 $$', 'ENGINE_UNAVAILABLE', 'ENGINE_CRASHED'],
    ['kill -4 $$', 'ENGINE_UNAVAILABLE', 'ENGINE_INCOMPATIBLE'],
    ['exit 3', 'ENGINE_UNAVAILABLE', 'MODEL_UNREADABLE'],
    ['exit 10', 'ENGINE_UNAVAILABLE', 'ENGINE_FAILED'],
    ['exit 0', 'ENGINE_UNAVAILABLE', 'ENGINE_NO_OUTPUT'],
  ])('maps a whisper-cli that ends with %s', async (script, kind, code) => {
    const by = await start({ WHISPER_BIN: await fakeCli(`echo said >&2; ${script}`) });
    const failure = await failureOf(transcribe(await pieceOf([sample('hello').wav]), by));
    expect(failure).toMatchObject({ kind, code, retryable: true });
    expect(failure.detail).toContain('said');
  });

  test('refuses a model that is damaged, missing or none, before the first job', async () => {
    const models = join(directory, 'models');
    await cp(join(import.meta.dirname, '../../models/demo'), join(models, 'demo'), { recursive: true });
    const model = join(models, 'demo/ggml-demo-76.en.bin');
    const bytes = await readFile(model);
    await writeFile(model, bytes.subarray(0, bytes.length - 305));
    await expect(start({ MODELS_DIR: models })).rejects.toThrow(/is damaged/);

    await writeFile(model, 'text');
    await expect(start({ MODELS_DIR: models })).rejects.toThrow(/not a whisper\.cpp model/);
    await expect(start({ WHISPER_MODEL: 'base.en' })).rejects.toThrow('npm run models -- pull base.en');
  });
});
