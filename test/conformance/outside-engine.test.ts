import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createLogger } from '../../src/observability/logger.ts';
import type { WavPiece } from '../../worker/engines/engine.ts';
import { loadEngine } from '../../worker/engines/load-engine.ts';
import { DEFAULT_OPTIONS } from '../support/builders.ts';
import { aWorkerConfig } from '../support/engine-probe.ts';
import { describeEngine } from './engine-suite.ts';

const log = createLogger('test', 'silent');
const { signal } = new AbortController();
const recognizer = fileURLToPath(new URL('../support/line-recognizer.mjs', import.meta.url));

/** The example of docs/engines.md, as a reader would save it. */
async function saveExample(directory: string): Promise<{ readonly path: string; readonly lines: number }> {
  const page = await readFile(new URL('../../docs/engines.md', import.meta.url), 'utf8');
  const code = /<!-- example: my-engine\.mjs -->\n```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const path = join(directory, 'my-engine.mjs');
  await writeFile(path, code);
  return { path, lines: code.trimEnd().split('\n').length };
}

describeEngine('of docs/engines.md', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'outside-engine-'));
  const { path } = await saveExample(directory);
  const env = { RECOGNIZER: `${process.execPath} ${recognizer}` };
  const piece = async (name: string, content: string | null): Promise<WavPiece> => {
    const wav = join(directory, name);
    if (content !== null) await writeFile(wav, content);
    const options = { ...DEFAULT_OPTIONS };
    return { path: wav, durationMs: 500, workDirectory: directory, options, language: null };
  };
  const speech = await piece('speech.wav', 'hello');
  const long = await piece('long.wav', 'he?lo');
  const missing = await piece('missing.wav', null);
  return {
    engine: await loadEngine(path, { config: aWorkerConfig(), env, log, onStatus: () => {}, signal }),
    speech: () => speech,
    speechDurationMs: 500,
    knowsWords: false,
    long: (report) => ({ input: long, busy: report.first }),
    failing: [{ name: 'no file', kind: 'ENGINE_UNAVAILABLE', input: () => missing }],
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
});

test('the example of docs/engines.md is as short as it says', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'outside-engine-'));

  const { lines } = await saveExample(directory);

  expect(lines).toBeGreaterThan(20);
  expect(lines).toBeLessThanOrEqual(45);
  await rm(directory, { recursive: true, force: true });
});
