import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTwoEngines, type TwoEngines } from '../support/two-engines.ts';

const DEEPGRAM_TEXT =
  "Good morning, everybody. Thanks for having me here. Let's begin with the first question.";

let engines: TwoEngines;

beforeAll(async () => {
  engines = await startTwoEngines();
  await engines.addHosted();
});
afterAll(() => engines?.stop());

const byDeepgram = {
  engine: 'DEEPGRAM',
  model: 'general-nova-3',
  outcome: 'COMPLETED',
  requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
};

describe('while the first engine has no live worker', () => {
  it('a job goes to its next engine, but a job limited to the local engine waits', async () => {
    const staying = await engines.service.jobs.accepted({ audio: engines.aTalk(), engines: ['WHISPER'] });

    const moved = await engines.finished({ audio: engines.aTalk(), engines: ['WHISPER', 'DEEPGRAM'] });

    expect(moved).toMatchObject({ status: 'COMPLETED', transcript: { text: DEEPGRAM_TEXT } });
    expect(moved.attempts).toEqual([expect.objectContaining({ number: 1, ...byDeepgram })]);
    expect(await engines.see(staying)).toMatchObject({ status: 'QUEUED', attempts: [] });
    expect(engines.deepgram.requests).toHaveLength(1);
    await engines.addLocal();
    await engines.service.jobs.finished(staying);
    expect((await engines.see(staying)).attempts).toMatchObject([
      { engine: 'WHISPER', outcome: 'COMPLETED' },
    ]);
    expect(engines.deepgram.requests).toHaveLength(1);
  });
});

describe('a job with two engines', () => {
  beforeAll(() => engines.addLocal());

  it.each(['ENGINE_UNAVAILABLE', 'OUT_OF_MEMORY'] as const)(
    'moves to the second at once when the first fails with %s',
    async (kind) => {
      const job = await engines.finished({ audio: engines.aTalk(kind), engines: ['WHISPER', 'DEEPGRAM'] });

      expect(job).toMatchObject({ status: 'COMPLETED', transcript: { text: DEEPGRAM_TEXT } });
      expect(job.attempts).toMatchObject([
        { number: 1, engine: 'WHISPER', outcome: 'FAILED', requestId: null, failure: { kind } },
        { number: 2, ...byDeepgram },
      ]);
    },
  );

  it.each(['AUDIO', 'FETCH'] as const)(
    'fails without trying the second engine when the recording is at fault (%s)',
    async (kind) => {
      const before = engines.deepgram.requests.length;

      const job = await engines.finished({ audio: engines.aTalk(kind), engines: ['WHISPER', 'DEEPGRAM'] });

      expect(job.status).toBe('FAILED');
      expect(job.attempts).toMatchObject([{ engine: 'WHISPER', failure: { kind } }]);
      expect(engines.deepgram.requests).toHaveLength(before);
    },
  );

  it('fails when it lists the local engine only', async () => {
    const before = engines.deepgram.requests.length;

    const job = await engines.finished({ audio: engines.aTalk('ENGINE_UNAVAILABLE'), engines: ['WHISPER'] });

    expect(job.status).toBe('FAILED');
    expect(job.attempts).toMatchObject([{ engine: 'WHISPER' }]);
    expect(engines.deepgram.requests).toHaveLength(before);
  });
});

describe('a job that names no engine', () => {
  beforeAll(() => engines.addLocal());

  it('runs on the engines of its tenant’s policy', async () => {
    const sql = new pg.Client({ connectionString: engines.service.databaseUrl });
    await sql.connect();
    try {
      await sql.query(`UPDATE tenants SET default_engines = '{DEEPGRAM}'`);
      const job = await engines.finished({ audio: engines.aTalk() });
      expect(job.attempts).toMatchObject([{ ...byDeepgram }]);
    } finally {
      await sql.query('UPDATE tenants SET default_engines = NULL');
      await sql.end();
    }
    expect((await engines.finished({ audio: engines.aTalk() })).attempts).toMatchObject([
      { engine: 'WHISPER' },
    ]);
  });
});

describe('what an engine cannot do', () => {
  it.each([
    ['diarize', ['WHISPER'], { diarize: true }],
    ['diarize', ['DEEPGRAM', 'WHISPER'], { diarize: true }],
    ['translateToEnglish', ['DEEPGRAM'], { translateToEnglish: true }],
    ['language', ['WHISPER'], { language: 'tlh' }],
    ['vocabulary', ['WHISPER'], { vocabulary: Array.from({ length: 20 }, () => 'x'.repeat(40)) }],
  ])('is refused at submit with the field %s, of %s', async (field, named, options) => {
    const outcome = await engines.service.jobs.submit({ audio: engines.aTalk(), engines: named, ...options });

    expect(outcome).toMatchObject({ code: 'UNSUPPORTED', path: ['input', field] });
    expect(outcome.job).toBeUndefined();
  });
});
