import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../src/observability/logger.ts';
import {
  createDeepgramEngine,
  type DeepgramEngine,
  type DeepgramTuning,
} from '../../worker/engines/deepgram/deepgram-engine.ts';
import { EngineError } from '../../worker/engines/engine.ts';
import { type DeepgramStandIn, startDeepgramStandIn } from '../support/deepgram-stand-in.ts';
import { aSource, aWorkerConfig, recordReport } from '../support/engine-probe.ts';

const log = createLogger('test', 'silent');
const never = new AbortController().signal;

let deepgram: DeepgramStandIn;
const engines: DeepgramEngine[] = [];

async function anEngine(env: NodeJS.ProcessEnv = {}, tuning: Partial<DeepgramTuning> = {}) {
  const config = aWorkerConfig({
    DEEPGRAM_API_KEY: deepgram.apiKey,
    DEEPGRAM_BASE_URL: deepgram.baseUrl,
    ...env,
  });
  const engine = await createDeepgramEngine(config, log, tuning);
  engines.push(engine);
  return engine;
}

async function failureFrom(promise: Promise<unknown>) {
  const error = await promise.then(
    () => new Error('nothing failed'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof EngineError)) throw error;
  return { ...error.failure, requestId: error.requestId };
}

beforeEach(async () => {
  deepgram = await startDeepgramStandIn();
});
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
  await deepgram.close();
});

describe('a recording sent to Deepgram', () => {
  test('comes back as segments with speakers, words, language, model and request id', async () => {
    const engine = await anEngine();
    const report = recordReport();

    const result = await engine.transcribe(
      aSource({ options: { diarize: true, timestamps: 'WORD' } }),
      report,
      never,
    );

    expect(report.calls).toEqual([
      'indeterminate true',
      'indeterminate false',
      'audio',
      'segments',
      'progress',
    ]);
    expect(
      report.allSegments.map(({ startMs, endMs, text, speaker }) => [startMs, endMs, text, speaker]),
    ).toEqual([
      [400, 3200, 'Good morning, everybody.', '0'],
      [4100, 7900, 'Thanks for having me here.', '1'],
      [8300, 12_100, "Let's begin with the first question.", '0'],
    ]);
    expect(report.allSegments[0]?.words?.map((word) => word.text)).toEqual([
      'Good',
      'morning,',
      'everybody.',
    ]);
    expect(report).toMatchObject({ durationMs: 12_500, channels: 1, progressMs: [12_500] });
    expect(result).toMatchObject({ language: 'en', languageConfidence: 0.97, model: 'general-nova-3' });
    expect(result.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('is asked for in words of the API: every option has its parameter', async () => {
    const engine = await anEngine();
    const options = { model: 'nova-3-medical', diarize: true, vocabulary: ['Ada Lovelace', 'Ångström'] };

    await engine.transcribe(aSource({ options: { ...options, language: 'en-GB' } }), recordReport(), never);
    await engine.transcribe(
      aSource({ options: { model: 'nova-2', vocabulary: ['Ada'] } }),
      recordReport(),
      never,
    );

    const [first, second] = deepgram.requests;
    expect([...(first?.query ?? [])]).toEqual(
      expect.arrayContaining([
        ['model', 'nova-3-medical'],
        ['language', 'en-GB'],
        ['smart_format', 'true'],
        ['punctuate', 'true'],
        ['utterances', 'true'],
        ['diarize', 'true'],
        ['keyterm', 'Ada Lovelace'],
        ['keyterm', 'Ångström'],
      ]),
    );
    expect(first?.query.has('detect_language')).toBe(false);
    expect(second?.query.get('detect_language')).toBe('true');
    expect(second?.query.get('keywords')).toBe('Ada');
    expect(second?.query.has('diarize')).toBe(false);
  });

  test('is streamed with its length, byte for byte', async () => {
    const engine = await anEngine();
    const bytes = randomBytes(3 * 1024 * 1024);
    const pieces = Readable.from(
      (function* () {
        for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536);
      })(),
    );

    await engine.transcribe(
      aSource({
        open: async () => ({ stream: pieces, sizeBytes: bytes.byteLength, contentType: 'application/json' }),
      }),
      recordReport(),
      never,
    );

    expect(deepgram.requests[0]).toMatchObject({
      contentType: 'application/octet-stream',
      contentLength: bytes.byteLength,
      bytes: bytes.byteLength,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      url: null,
    });
    expect(pieces.destroyed).toBe(true);
  });

  test('travels by URL when Deepgram may fetch it, and as a stream when it finds that it may not', async () => {
    const engine = await anEngine({}, { fetchesUrls: true });
    const source = aSource({ kind: 'url', url: 'https://files.test/talk.mp3' });
    const notPublic = {
      err_code: 'REMOTE_CONTENT_ERROR',
      err_msg: 'URL for media download must be publicly routable.',
    };
    deepgram.next({ kind: 'transcript' }, { kind: 'status', status: 400, body: notPublic });

    await engine.transcribe(source, recordReport(), never);
    await engine.transcribe(source, recordReport(), never);

    expect(deepgram.requests.map((request) => request.url)).toEqual([
      'https://files.test/talk.mp3',
      'https://files.test/talk.mp3',
      null,
    ]);
    expect(deepgram.requests[2]?.bytes).toBe(5);
  });

  test('of a self-hosted Deepgram is never left for it to fetch', async () => {
    const engine = await anEngine();

    await engine.transcribe(aSource({ kind: 'url' }), recordReport(), never);

    expect(deepgram.requests[0]).toMatchObject({ url: null, bytes: 5 });
  });

  test('of two hours comes in many reports', async () => {
    const engine = await anEngine();
    const utterances = Array.from({ length: 500 }, (_, at) => ({
      start: at * 14,
      end: at * 14 + 13,
      text: `Line ${at}.`,
    }));
    deepgram.next({ kind: 'transcript', script: { durationSeconds: 7200, utterances } });
    const report = recordReport();

    await engine.transcribe(aSource(), report, never);

    expect(report.batches.length).toBe(10);
    expect(report.allSegments.map((segment) => segment.text)).toEqual(utterances.map((each) => each.text));
  });

  test('without speech gives no segment and no error', async () => {
    const engine = await anEngine();
    deepgram.next({ kind: 'transcript', script: { utterances: [] } });
    const report = recordReport();

    await engine.transcribe(aSource(), report, never);

    expect(report.calls).not.toContain('segments');
    expect(report.durationMs).toBe(12_500);
  });
});

describe('a failure of Deepgram', () => {
  test.each([
    [400, 'AUDIO', 'AUDIO_UNREADABLE', false],
    [401, 'ENGINE_REJECTED', 'DEEPGRAM_KEY_INVALID', false],
    [402, 'ENGINE_REJECTED', 'DEEPGRAM_NO_CREDIT', false],
    [403, 'ENGINE_REJECTED', 'DEEPGRAM_FORBIDDEN', false],
    [413, 'AUDIO', 'AUDIO_TOO_LARGE', false],
    [415, 'AUDIO', 'AUDIO_UNREADABLE', false],
    [408, 'ENGINE_UNAVAILABLE', 'DEEPGRAM_UPLOAD_INTERRUPTED', true],
    [429, 'RATE_LIMITED', 'DEEPGRAM_RATE_LIMITED', true],
    [500, 'ENGINE_UNAVAILABLE', 'DEEPGRAM_UNAVAILABLE', true],
    [502, 'ENGINE_UNAVAILABLE', 'DEEPGRAM_UNAVAILABLE', true],
    [504, 'TIMEOUT', 'DEEPGRAM_TIMEOUT', true],
  ])('with status %i is %s %s after one request', async (status, kind, code, retryable) => {
    const engine = await anEngine();
    deepgram.next({
      kind: 'status',
      status,
      ...(status === 502 ? { body: '<html>Bad gateway</html>' } : {}),
    });

    const failure = await failureFrom(engine.transcribe(aSource(), recordReport(), never));

    expect(failure).toMatchObject({ kind, code, retryable });
    expect(failure.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(deepgram.requests.length).toBe(1);
  });

  test('with Retry-After keeps the lane closed for that long', async () => {
    const engine = await anEngine();
    deepgram.next({ kind: 'status', status: 429, headers: { 'retry-after': '37' } });

    const failure = await failureFrom(engine.transcribe(aSource(), recordReport(), never));

    expect(failure).toMatchObject({ kind: 'RATE_LIMITED', retryAfterMs: 37_000 });
    expect(engine.available).toBe(false);
    expect(engine.breakerState).toBe('closed');
  });

  test.each([
    ['a cut connection', { kind: 'cut', after: 'request' }, 'DEEPGRAM_UNREACHABLE'],
    ['an answer cut in its middle', { kind: 'cut', after: 'headers' }, 'DEEPGRAM_UNREACHABLE'],
    ['broken JSON', { kind: 'text', text: '{"metadata":' }, 'DEEPGRAM_ANSWER_INVALID'],
    ['an empty answer', { kind: 'text', text: '' }, 'DEEPGRAM_ANSWER_INVALID'],
    ['JSON of another shape', { kind: 'text', text: '{"request_id":"x"}' }, 'DEEPGRAM_ANSWER_INVALID'],
  ] as const)('that is %s is worth another attempt', async (_, reply, code) => {
    const engine = await anEngine();
    deepgram.next(reply);

    const failure = await failureFrom(engine.transcribe(aSource(), recordReport(), never));

    expect(failure).toMatchObject({ kind: 'ENGINE_UNAVAILABLE', code, retryable: true });
    expect(deepgram.requests.length).toBe(1);
  });

  test('is told from the status, also when it comes before the recording is through', async () => {
    const engine = await anEngine();
    deepgram.next({ kind: 'status', status: 402, early: true });
    const bytes = Buffer.alloc(24 * 1024 * 1024);

    const failure = await failureFrom(engine.transcribe(aSource({ bytes }), recordReport(), never));

    expect(failure.code).toBe('DEEPGRAM_NO_CREDIT');
  });

  test('that is a refused connection is worth another attempt', async () => {
    const engine = await anEngine();
    await deepgram.close();

    const failure = await failureFrom(engine.transcribe(aSource(), recordReport(), never));

    expect(failure).toMatchObject({ code: 'DEEPGRAM_UNREACHABLE', retryable: true });
    deepgram = await startDeepgramStandIn();
  });

  test.each(['request', 'body'] as const)(
    'that is silence at the %s ends with our own time limit',
    async (at) => {
      const engine = await anEngine({}, { answerTimeoutMs: () => 100 });
      deepgram.next({ kind: 'stall', at });

      const failure = await failureFrom(engine.transcribe(aSource(), recordReport(), never));

      expect(failure).toMatchObject({ kind: 'TIMEOUT', retryable: true });
    },
  );

  test("is the source's when the recording breaks off or can't be opened", async () => {
    const engine = await anEngine();
    const gone = new EngineError({ kind: 'FETCH', code: 'FETCH_GONE', message: 'Gone.', retryable: false });
    const breaksOff = async function* () {
      yield Buffer.from('so');
      throw gone;
    };
    const open = async () => ({ stream: Readable.from(breaksOff()), sizeBytes: 5, contentType: null });
    const short = async () => ({
      stream: Readable.from([Buffer.from('so')]),
      sizeBytes: 5,
      contentType: null,
    });

    const failures = [
      await failureFrom(engine.transcribe(aSource({ open }), recordReport(), never)),
      await failureFrom(
        engine.transcribe(aSource({ open: () => Promise.reject(gone) }), recordReport(), never),
      ),
      await failureFrom(engine.transcribe(aSource({ open: short }), recordReport(), never)),
    ];

    expect(failures.map((failure) => failure.code)).toEqual(['FETCH_GONE', 'FETCH_GONE', 'FETCH_TRUNCATED']);
    expect(engine.breakerState).toBe('closed');
  });
});

describe('a worker of Deepgram', () => {
  test('does not start without a key, and says how to get one', async () => {
    await expect(createDeepgramEngine(aWorkerConfig(), log)).rejects.toThrow(/DEEPGRAM_API_KEY is not set/);
  });

  test('takes no further job with a wrong key', async () => {
    const engine = await anEngine({ DEEPGRAM_API_KEY: 'wrong' });

    const failure = await failureFrom(engine.transcribe(aSource(), recordReport(), never));
    const second = await failureFrom(engine.transcribe(aSource(), recordReport(), never));

    expect(failure).toMatchObject({ code: 'DEEPGRAM_KEY_INVALID', retryable: false });
    expect(failure.detail).not.toContain('wrong');
    expect(second).toMatchObject({ code: 'DEEPGRAM_CIRCUIT_OPEN', retryable: true });
    expect(engine.available).toBe(false);
    expect(deepgram.requests.length).toBe(1);
  });

  test('opens its breaker after repeated faults, probes, and closes it again', async () => {
    const engine = await anEngine({}, { failureThreshold: 2, openMs: 500 });
    deepgram.next({ kind: 'status', status: 500 }, { kind: 'status', status: 503 });

    await failureFrom(engine.transcribe(aSource(), recordReport(), never));
    expect(engine.breakerState).toBe('closed');
    await failureFrom(engine.transcribe(aSource(), recordReport(), never));
    expect([engine.breakerState, engine.available]).toEqual(['open', false]);

    await expect.poll(() => engine.available, { timeout: 10_000 }).toBe(true);
    await engine.transcribe(aSource(), recordReport(), never);

    expect([engine.breakerState, engine.available]).toEqual(['closed', true]);
    expect(deepgram.requests.length).toBe(3);
  });

  test('keeps its breaker closed when the recordings are at fault', async () => {
    const engine = await anEngine({}, { failureThreshold: 2 });
    deepgram.otherwise({ kind: 'status', status: 400 });

    for (let at = 0; at < 4; at += 1) await failureFrom(engine.transcribe(aSource(), recordReport(), never));

    expect([engine.breakerState, engine.available]).toEqual(['closed', true]);
  });

  test('never has more requests under way than the key allows', async () => {
    const engine = await anEngine({ DEEPGRAM_CONCURRENCY: '2' });
    let release: () => void = () => {};
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    deepgram.otherwise({ kind: 'stall', at: 'request', until });

    const calls = Array.from({ length: 3 }, () => engine.transcribe(aSource(), recordReport(), never));
    await deepgram.arrived(2);
    expect(deepgram.requests.length).toBe(2);
    release();
    await Promise.all(calls);

    expect(engine.maxConcurrency).toBe(2);
    expect(deepgram.requests.length).toBe(3);
  });

  test('lets go of the connection when the job is canceled', async () => {
    const engine = await anEngine();
    deepgram.next({ kind: 'stall', at: 'body' });
    const report = recordReport();
    const cancel = new AbortController();
    const call = engine.transcribe(aSource(), report, cancel.signal);
    await deepgram.arrived(1);

    const reason = new Error('canceled by its owner');
    cancel.abort(reason);

    await expect(call).rejects.toBe(reason);
    await expect.poll(() => deepgram.requests[0]?.aborted).toBe(true);
    expect(report.calls).toEqual(['indeterminate true']);
    expect(engine.breakerState).toBe('closed');
  });

  test('leaves no timer behind, however a call ends', async () => {
    const started = vi.spyOn(globalThis, 'setTimeout');
    const cleared = vi.spyOn(globalThis, 'clearTimeout');
    const engine = await anEngine({}, { answerTimeoutMs: () => 3_600_000 });
    deepgram.next({ kind: 'stall', at: 'request' }, { kind: 'cut', after: 'request' });
    const cancel = new AbortController();
    const canceled = engine.transcribe(aSource(), recordReport(), cancel.signal).catch(() => null);
    await deepgram.arrived(1);
    cancel.abort();
    await canceled;

    await failureFrom(engine.transcribe(aSource(), recordReport(), never));
    await engine.transcribe(aSource(), recordReport(), never);

    const long = started.mock.results.filter((_, at) => (started.mock.calls[at]?.[1] ?? 0) > 600_000);
    const ended = cleared.mock.calls.map(([timer]) => timer);
    expect(long.length).toBe(6);
    expect(long.every((timer) => ended.includes(timer.value))).toBe(true);
    vi.restoreAllMocks();
  });
});
