import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DeepgramStandIn, startDeepgramStandIn } from '../support/deepgram-stand-in.ts';
import { type FileHost, hostFiles } from '../support/file-host.ts';
import { startWorkerProcess, type TestProcess } from '../support/processes.ts';
import { type Service, startService } from '../support/service.ts';
import { eventually } from '../support/worker-rig.ts';

/** A local engine whose behaviour the recording's URL tells (test/support/scripted-engine.mjs), and Deepgram's stand-in. */
const SCRIPT = 'talk/2/1000/0';
const BREAKER_SECONDS = 8;
const DEEPGRAM_TEXT =
  "Good morning, everybody. Thanks for having me here. Let's begin with the first question.";

let service: Service;
let deepgram: DeepgramStandIn;
let host: FileHost;
const workers: Record<'local' | 'hosted', TestProcess | null> = { local: null, hosted: null };

beforeAll(async () => {
  deepgram = await startDeepgramStandIn();
  const failing = ['ENGINE_UNAVAILABLE', 'AUDIO', 'FETCH', 'OUT_OF_MEMORY'].map((kind) => urlTail(kind));
  host = await hostFiles(Object.fromEntries([SCRIPT, ...failing].map((name) => [name, { body: 'sound' }])));
  service = await startService({
    workers: 0,
    env: {
      AUDIO_ALLOWED_NETWORKS: '127.0.0.0/8',
      ENGINE_ABSENT_SECONDS: '2',
      RETRY_BASE_SECONDS: '0.05',
      RETRY_MAX_SECONDS: '0.1',
    },
  });
  workers.hosted = await addHosted(deepgram.apiKey);
});
afterAll(async () => {
  await service?.stop();
  await host?.close();
  await deepgram?.close();
});
beforeEach(() => deepgram.otherwise({ kind: 'transcript' }));

const urlTail = (kind: string) => `${SCRIPT}?fail=${kind}@*&retryable=false`;
const aTalk = (kind?: string) => ({ url: host.urlOf(kind === undefined ? SCRIPT : urlTail(kind)) });

function addHosted(apiKey: string): Promise<TestProcess> {
  const env = {
    DEEPGRAM_API_KEY: apiKey,
    DEEPGRAM_BASE_URL: deepgram.baseUrl,
    DEEPGRAM_BREAKER_FAILURES: '1',
    DEEPGRAM_BREAKER_SECONDS: String(BREAKER_SECONDS),
  };
  return service.addWorker(env, ['--engine', 'deepgram']);
}

async function addLocal(): Promise<void> {
  workers.local ??= await service.addWorker({}, ['--engine', './test/support/scripted-engine.mjs']);
}

interface SeenAttempts {
  readonly status: string;
  readonly nextAttemptAt: string | null;
  readonly failure: { readonly code: string } | null;
  readonly transcript: { readonly text: string } | null;
  readonly attempts: readonly {
    readonly number: number;
    readonly engine: string;
    readonly model: string;
    readonly requestId: string | null;
    readonly outcome: string | null;
    readonly startedAt: string;
    readonly failure: { readonly kind: string; readonly code: string; readonly message: string } | null;
  }[];
}

interface SeenProgress {
  readonly stage: string | null;
  readonly fraction: number;
  readonly totalSeconds: number | null;
  readonly etaSeconds: number | null;
  readonly isEstimate: boolean;
}

async function see(id: string): Promise<SeenAttempts> {
  const query = `query See($id: ID!) { job(id: $id) { status nextAttemptAt failure { code } transcript { text }
    attempts { number engine model requestId outcome startedAt failure { kind code message } } } }`;
  return (await service.client.request<{ job: SeenAttempts }>(query, { id })).job;
}

async function finished(input: Readonly<Record<string, unknown>>): Promise<SeenAttempts> {
  const id = await service.jobs.accepted(input);
  await service.jobs.finished(id);
  return see(id);
}

async function isAvailable(queue: string): Promise<boolean> {
  const query = 'query Stats($queue: String) { queueStats(queue: $queue) { engineAvailable } }';
  const answer = await service.client.request<{ queueStats: { engineAvailable: boolean } }>(query, { queue });
  return answer.queueStats.engineAvailable;
}

async function metrics(): Promise<string> {
  return (await fetch(`${service.server.url}/metrics`)).text();
}

const byDeepgram = {
  engine: 'DEEPGRAM',
  model: 'general-nova-3',
  outcome: 'COMPLETED',
  requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
};

describe('while no worker of the first engine lives', () => {
  it('a job goes to its next engine, but one that stays local waits', async () => {
    const staying = await service.jobs.accepted({ audio: aTalk(), engines: ['WHISPER'] });

    const moved = await finished({ audio: aTalk(), engines: ['WHISPER', 'DEEPGRAM'] });

    expect(moved).toMatchObject({ status: 'COMPLETED', transcript: { text: DEEPGRAM_TEXT } });
    expect(moved.attempts).toEqual([expect.objectContaining({ number: 1, ...byDeepgram })]);
    expect(await see(staying)).toMatchObject({ status: 'QUEUED', attempts: [] });
    expect(deepgram.requests).toHaveLength(1);
    await addLocal();
    await service.jobs.finished(staying);
    expect((await see(staying)).attempts).toMatchObject([{ engine: 'WHISPER', outcome: 'COMPLETED' }]);
    expect(deepgram.requests).toHaveLength(1);
  });
});

describe('a job with two engines', () => {
  beforeAll(addLocal);

  it.each(['ENGINE_UNAVAILABLE', 'OUT_OF_MEMORY'])(
    'whose first fails with %s moves on at once',
    async (kind) => {
      const job = await finished({ audio: aTalk(kind), engines: ['WHISPER', 'DEEPGRAM'] });

      expect(job).toMatchObject({ status: 'COMPLETED', transcript: { text: DEEPGRAM_TEXT } });
      expect(job.attempts).toMatchObject([
        { number: 1, engine: 'WHISPER', outcome: 'FAILED', requestId: null, failure: { kind } },
        { number: 2, ...byDeepgram },
      ]);
    },
  );

  it.each(['AUDIO', 'FETCH'])('whose recording is at fault (%s) fails, and nobody is paid', async (kind) => {
    const before = deepgram.requests.length;

    const job = await finished({ audio: aTalk(kind), engines: ['WHISPER', 'DEEPGRAM'] });

    expect(job.status).toBe('FAILED');
    expect(job.attempts).toMatchObject([{ engine: 'WHISPER', failure: { kind } }]);
    expect(deepgram.requests).toHaveLength(before);
  });

  it('and one with the local engine alone fails rather than leave', async () => {
    const before = deepgram.requests.length;

    const job = await finished({ audio: aTalk('ENGINE_UNAVAILABLE'), engines: ['WHISPER'] });

    expect(job.status).toBe('FAILED');
    expect(job.attempts).toMatchObject([{ engine: 'WHISPER' }]);
    expect(deepgram.requests).toHaveLength(before);
  });
});

describe('a job that names no engine', () => {
  it('runs on those of its tenant’s policy', async () => {
    const sql = new pg.Client({ connectionString: service.databaseUrl });
    await sql.connect();
    try {
      await sql.query(`UPDATE tenants SET default_engines = '{DEEPGRAM}'`);
      const job = await finished({ audio: aTalk() });
      expect(job.attempts).toMatchObject([{ ...byDeepgram }]);
    } finally {
      await sql.query('UPDATE tenants SET default_engines = NULL');
      await sql.end();
    }
    expect((await finished({ audio: aTalk() })).attempts).toMatchObject([{ engine: 'WHISPER' }]);
  });
});

describe('what an engine cannot do', () => {
  it.each([
    ['diarize', ['WHISPER'], { diarize: true }],
    ['diarize', ['DEEPGRAM', 'WHISPER'], { diarize: true }],
    ['translateToEnglish', ['DEEPGRAM'], { translateToEnglish: true }],
    ['language', ['WHISPER'], { language: 'tlh' }],
    ['vocabulary', ['WHISPER'], { vocabulary: Array.from({ length: 20 }, () => 'x'.repeat(40)) }],
  ])('is refused at submit with the field %s, of %s', async (field, engines, options) => {
    const outcome = await service.jobs.submit({ audio: aTalk(), engines, ...options });

    expect(outcome).toMatchObject({ code: 'UNSUPPORTED', path: ['input', field] });
    expect(outcome.job).toBeUndefined();
  });
});

describe('Deepgram', () => {
  it('that asks for time gets it, and the job completes then', async () => {
    deepgram.next({ kind: 'status', status: 429, headers: { 'retry-after': '2' } });
    const id = await service.jobs.accepted({ audio: aTalk(), engines: ['DEEPGRAM'] });
    const seen: SeenAttempts[] = [];
    await eventually(async () => {
      seen.unshift(await see(id));
      return seen[0]?.status === 'RETRYING';
    }, 'the job waits for its next attempt');

    await service.jobs.finished(id);
    const job = await see(id);

    expect(job.status).toBe('COMPLETED');
    expect(job.attempts).toMatchObject([
      { failure: { kind: 'RATE_LIMITED', code: 'DEEPGRAM_RATE_LIMITED' } },
      { ...byDeepgram },
    ]);
    const nextAttemptAt = Date.parse(seen[0]?.nextAttemptAt ?? '');
    expect(nextAttemptAt).toBeGreaterThanOrEqual(Date.parse(job.attempts[0]?.startedAt ?? '') + 2000);
    expect(Date.parse(job.attempts[1]?.startedAt ?? '')).toBeGreaterThanOrEqual(nextAttemptAt);
  });

  it('tells no progress, so the time left is estimated from what was measured before', async () => {
    const progressOf = async (id: string): Promise<SeenProgress> => {
      const query =
        'query Progress($id: ID!) { job(id: $id) { progress { stage fraction totalSeconds etaSeconds isEstimate } } }';
      return (await service.client.request<{ job: { progress: SeenProgress } }>(query, { id })).job.progress;
    };
    /** Moves to Deepgram after an attempt that told the length; held there until its progress is as wanted. */
    const held = async (isWanted: (progress: SeenProgress) => boolean): Promise<SeenProgress> => {
      let release: () => void = () => {};
      const until = new Promise<void>((resolve) => {
        release = resolve;
      });
      deepgram.next({ kind: 'stall', at: 'request', until });
      const input = { audio: aTalk('ENGINE_UNAVAILABLE'), engines: ['WHISPER', 'DEEPGRAM'] };
      const id = await service.jobs.accepted(input);
      const seen: SeenProgress[] = [];
      await eventually(async () => {
        seen.unshift(await progressOf(id));
        return seen[0] !== undefined && isWanted(seen[0]);
      }, 'the progress of a job at Deepgram');
      release();
      await service.jobs.finished(id);
      return seen[0] as SeenProgress;
    };
    const first = await held((progress) => progress.isEstimate);

    const next = await held((progress) => progress.isEstimate && progress.etaSeconds !== null);

    expect(first).toMatchObject({ stage: 'TRANSCRIBING', fraction: 0, totalSeconds: 2 });
    expect(next).toMatchObject({ stage: 'TRANSCRIBING', fraction: 0, totalSeconds: 2 });
  });

  it('that is down is left alone: jobs wait or go on elsewhere until a probe succeeds', async () => {
    deepgram.next({ kind: 'status', status: 503 });
    const waiting = await service.jobs.accepted({ audio: aTalk(), engines: ['DEEPGRAM'] });
    await eventually(async () => !(await isAvailable('deepgram')), 'the breaker is open');
    const asked = deepgram.requests.length;
    expect(await metrics()).toContain('transcription_engine_available{queue="deepgram"} 0');

    const moved = await finished({ audio: aTalk(), engines: ['DEEPGRAM', 'WHISPER'] });

    expect(moved.attempts).toMatchObject([{ number: 1, engine: 'WHISPER', outcome: 'COMPLETED' }]);
    expect(deepgram.requests).toHaveLength(asked);
    await service.jobs.finished(waiting);
    expect((await see(waiting)).attempts).toMatchObject([
      { outcome: 'FAILED', failure: { code: 'DEEPGRAM_UNAVAILABLE' } },
      { ...byDeepgram },
    ]);
    await eventually(() => isAvailable('deepgram'), 'the breaker is closed');
    expect(await metrics()).toContain('transcription_engine_available{queue="deepgram"} 1');
    expect(await metrics()).toMatch(/^transcription_orders_published_total\{queue="deepgram"\} [1-9]/m);
    expect(await metrics()).toMatch(/^transcription_facts_projected_total [1-9]/m);
  });

  it('that refuses the key fails the job with the remedy, once', async () => {
    await workers.hosted?.stop();
    workers.hosted = await addHosted('wrong');

    const job = await finished({ audio: aTalk(), engines: ['DEEPGRAM'] });

    expect(job).toMatchObject({ status: 'FAILED', failure: { code: 'DEEPGRAM_KEY_INVALID' } });
    expect(job.attempts).toHaveLength(1);
    expect(job.attempts[0]?.failure?.message).toMatch(/DEEPGRAM_API_KEY/);
  });

  it('is not started without a key, and says what is missing', async () => {
    const started = startWorkerProcess({ DEEPGRAM_API_KEY: '' }, 30_000, ['--engine', 'deepgram']);

    await expect(started).rejects.toThrow(/ended with code 2.*DEEPGRAM_API_KEY is not set/s);
  });
});
