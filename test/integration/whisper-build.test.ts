import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { buildWhisperCli } from '../../worker/engines/whisper/build-whisper.ts';
import { WhisperMissingError } from '../../worker/engines/whisper/whisper-failure.ts';

let cacheDirectory: string;

beforeEach(async () => {
  cacheDirectory = await mkdtemp(join(tmpdir(), 'build-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cacheDirectory, { recursive: true });
});

const build = (onStatus: (text: string) => void, signal: AbortSignal) =>
  buildWhisperCli({ target: 'native', cacheDirectory, onStatus }, signal);

test('says what failed and what to do when the registry is out of reach, and leaves nothing behind', async () => {
  vi.stubEnv('npm_config_registry', 'http://127.0.0.1:9');
  vi.stubEnv('npm_config_fetch_retries', '0');
  vi.stubEnv('npm_config_cache', join(cacheDirectory, 'npm'));
  const failed = await build(() => {}, new AbortController().signal).catch((error: unknown) => error);

  expect(failed).toBeInstanceOf(WhisperMissingError);
  expect(String(failed)).toMatch(/fetching its sources with npm failed.*brew install whisper-cpp/s);
  expect(await readdir(join(cacheDirectory, 'whisper.cpp'))).toEqual([]);
});

test('stops at once when the worker is told to stop, and leaves nothing behind', async () => {
  const cancel = new AbortController();
  const reason = new Error('stop');
  await expect(build(() => cancel.abort(reason), cancel.signal)).rejects.toBe(reason);
  expect(await readdir(join(cacheDirectory, 'whisper.cpp'))).toEqual([]);
});
