import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createLogger } from '../../src/observability/logger.ts';
import { createDeepgramEngine } from '../../worker/engines/deepgram/deepgram-engine.ts';
import { DEFAULT_SCRIPT } from '../support/deepgram-answers.ts';
import { type Reply, startDeepgramStandIn } from '../support/deepgram-stand-in.ts';
import { aSource, aWorkerConfig } from '../support/engine-probe.ts';
import { describeEngine } from './engine-suite.ts';

const log = createLogger('test', 'silent');

describeEngine('Deepgram, as documented', async () => {
  const deepgram = await startDeepgramStandIn();
  const config = aWorkerConfig({ DEEPGRAM_API_KEY: deepgram.apiKey, DEEPGRAM_BASE_URL: deepgram.baseUrl });
  const after = (reply: Reply) => () => {
    deepgram.next(reply);
    return aSource();
  };
  return {
    engine: await createDeepgramEngine(config, log),
    speech: ({ timestamps, resumeMs }) => aSource({ resumeMs, options: { timestamps } }),
    speechDurationMs: DEFAULT_SCRIPT.durationSeconds * 1000,
    long: () => {
      deepgram.next({ kind: 'stall', at: 'body' });
      return { input: aSource(), busy: deepgram.arrived(deepgram.requests.length + 1) };
    },
    failing: [
      { name: 'not audio', kind: 'AUDIO', input: after({ kind: 'status', status: 400 }) },
      { name: 'too many requests', kind: 'RATE_LIMITED', input: after({ kind: 'status', status: 429 }) },
      { name: 'down', kind: 'ENGINE_UNAVAILABLE', input: after({ kind: 'status', status: 503 }) },
      { name: 'cut', kind: 'ENGINE_UNAVAILABLE', input: after({ kind: 'cut', after: 'headers' }) },
      { name: 'no credit', kind: 'ENGINE_REJECTED', input: after({ kind: 'status', status: 402 }) },
    ],
    dispose: () => deepgram.close(),
  };
});

const { DEEPGRAM_API_KEY, DEEPGRAM_BASE_URL } = process.env;
if (DEEPGRAM_API_KEY === undefined || DEEPGRAM_API_KEY === '') {
  process.stderr.write('DEEPGRAM_API_KEY is not set: the real Deepgram is not asked.\n');
} else {
  const bytes = await readFile(new URL('../../models/demo/samples/hello.wav', import.meta.url));
  const env = { DEEPGRAM_API_KEY, ...(DEEPGRAM_BASE_URL === undefined ? {} : { DEEPGRAM_BASE_URL }) };

  describeEngine('Deepgram, the real one', async () => ({
    engine: await createDeepgramEngine(aWorkerConfig(env), log),
    speech: ({ timestamps, resumeMs }) => aSource({ bytes, resumeMs, options: { timestamps } }),
    // 16 kHz, mono, two bytes a sample behind a header of 44.
    speechDurationMs: Math.ceil((bytes.byteLength - 44) / 32),
    long: (report) => ({ input: aSource({ bytes }), busy: report.first }),
    failing: [{ name: 'not audio', kind: 'AUDIO', input: () => aSource({ bytes: Buffer.from('no sound') }) }],
    dispose: async () => {},
  }));
  test('the real Deepgram refuses a wrong key as documented', async () => {
    const engine = await createDeepgramEngine(aWorkerConfig({ ...env, DEEPGRAM_API_KEY: 'wrong' }), log);
    const report = { segments() {}, progress() {}, audio() {}, indeterminate() {} };

    const call = engine.transcribe(aSource({ bytes }), report, new AbortController().signal);

    await expect(call).rejects.toMatchObject({ failure: { code: 'DEEPGRAM_KEY_INVALID' } });
    await engine.close();
  });
}
