import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLogger } from '../../src/observability/logger.ts';
import { findWhisper } from '../../worker/engines/whisper/find-whisper.ts';
import { createWhisperEngine } from '../../worker/engines/whisper/whisper-engine.ts';
import { aWorkerConfig, recordReport } from '../support/engine-probe.ts';
import { makePathFolder } from '../support/path-folder.ts';
import { aPiece, sample, writeWav } from '../support/whisper-piece.ts';

const never = new AbortController().signal;
const log = createLogger('test', 'silent');
/** There is no prebuilt engine for other platforms. */
const onLinux = test.runIf(process.platform === 'linux');

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'without-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
  await rm(directory, { recursive: true });
});

/** The first words of a sample, since the prebuilt engine takes seconds for each phrase. */
async function transcribeHelloWorld(env: NodeJS.ProcessEnv) {
  const all = await readFile(sample('hello').wav);
  const clip = join(directory, 'clip.wav');
  await writeFile(clip, all.subarray(0, 44 + 32 * 1400));
  const path = join(directory, 'piece.wav');
  const durationMs = await writeWav(path, [clip]);
  const options = { timestamps: 'WORD' } as const;
  const engine = await createWhisperEngine(aWorkerConfig(env), log, () => {}, never);
  const report = recordReport();
  const piece = aPiece({ path, durationMs, workDirectory: directory, options });
  const result = await engine.transcribe(piece, report, never);
  return { notice: engine.notice, result, segments: report.allSegments };
}

test('without cmake and make, a C++ compiler is enough', async () => {
  vi.stubEnv('PATH', await makePathFolder(directory, ['g++', 'as', 'ld']));

  const { notice, segments } = await transcribeHelloWorld({});

  expect(notice).toBeUndefined();
  expect(segments.map(({ text }) => text)).toEqual(['hello world']);
  expect(segments[0]?.words?.every(({ confidence }) => (confidence ?? 0) > 0.5)).toBe(true);
}, 600_000);

onLinux(
  'without a compiler the prebuilt engine transcribes, with times of words, and says that it is slow',
  async () => {
    vi.stubEnv('PATH', await makePathFolder(directory, []));

    const { notice, result, segments } = await transcribeHelloWorld({ CACHE_DIR: directory });

    expect(notice).toMatch(/about ten times slower.*no C\+\+ compiler.*apt install g\+\+/s);
    expect(result).toMatchObject({ language: 'en', model: 'demo-76.en' });
    expect(segments.map(({ text, confidence }) => [text, confidence])).toEqual([['hello world', null]]);
    expect(segments[0]?.words?.map(({ text }) => text)).toEqual(['hello', 'world']);
  },
  120_000,
);

onLinux('an engine that cannot be built because of the network gives way to the prebuilt one', async () => {
  vi.stubEnv('npm_config_registry', 'http://127.0.0.1:9');
  vi.stubEnv('npm_config_fetch_retries', '0');
  vi.stubEnv('npm_config_cache', join(directory, 'npm'));

  const options = { target: 'native', cacheDirectory: directory, onStatus: () => {} } as const;
  const found = await findWhisper(undefined, options, never);

  expect(found).toMatchObject({ source: 'prebuilt', notice: expect.stringContaining('with npm failed') });
});

test('with neither compiler nor prebuilt engine, the message has the remedies', async () => {
  vi.stubGlobal('process', Object.create(process, { arch: { value: 'riscv64' } }));
  vi.stubEnv('PATH', await makePathFolder(directory, []));

  const options = { target: 'native', cacheDirectory: directory, onStatus: () => {} } as const;
  const search = findWhisper(undefined, options, never);

  await expect(search).rejects.toThrow(
    /no C\+\+ compiler.*apt install g\+\+.*brew install whisper-cpp.*WHISPER_BIN/s,
  );
});
