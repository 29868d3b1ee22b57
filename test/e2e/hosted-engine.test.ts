import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWorkerProcess, type TestProcess } from '../support/processes.ts';
import { type SeenEstimate, type SeenRun, startTwoEngines, type TwoEngines } from '../support/two-engines.ts';
import { eventually } from '../support/worker-rig.ts';

let engines: TwoEngines;
let hosted: TestProcess;

beforeAll(async () => {
  engines = await startTwoEngines();
  hosted = await engines.addHosted();
  await engines.addLocal();
});
afterAll(() => engines?.stop());

const byDeepgram = {
  engine: 'DEEPGRAM',
  model: 'general-nova-3',
  outcome: 'COMPLETED',
  requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
};

describe('Deepgram', () => {
  it('that sends Retry-After is retried no sooner, and the job completes', async () => {
    engines.deepgram.next({ kind: 'status', status: 429, headers: { 'retry-after': '2' } });
    const id = await engines.service.jobs.accepted({ audio: engines.aTalk(), engines: ['DEEPGRAM'] });
    const seen: SeenRun[] = [];
    await eventually(async () => {
      seen.unshift(await engines.see(id));
      return seen[0]?.status === 'RETRYING';
    }, 'the job waits for its next attempt');

    await engines.service.jobs.finished(id);
    const job = await engines.see(id);

    expect(job.status).toBe('COMPLETED');
    expect(job.attempts).toMatchObject([
      { failure: { kind: 'RATE_LIMITED', code: 'DEEPGRAM_RATE_LIMITED' } },
      { ...byDeepgram },
    ]);
    const nextAttemptAt = Date.parse(seen[0]?.nextAttemptAt ?? '');
    expect(nextAttemptAt).toBeGreaterThanOrEqual(Date.parse(job.attempts[0]?.startedAt ?? '') + 2000);
    expect(Date.parse(job.attempts[1]?.startedAt ?? '')).toBeGreaterThanOrEqual(nextAttemptAt);
  });

  it('reports no progress, so the remaining time is estimated from earlier measurements', async () => {
    /** Moves to Deepgram after an attempt that reported the length; stays there until its progress matches. */
    const held = async (isWanted: (progress: SeenEstimate) => boolean): Promise<SeenEstimate> => {
      let release: () => void = () => {};
      const until = new Promise<void>((resolve) => {
        release = resolve;
      });
      engines.deepgram.next({ kind: 'stall', at: 'request', until });
      const input = { audio: engines.aTalk('ENGINE_UNAVAILABLE'), engines: ['WHISPER', 'DEEPGRAM'] };
      const id = await engines.service.jobs.accepted(input);
      const seen: SeenEstimate[] = [];
      await eventually(async () => {
        seen.unshift((await engines.see(id)).progress);
        return seen[0] !== undefined && isWanted(seen[0]);
      }, 'the progress of a job at Deepgram');
      release();
      await engines.service.jobs.finished(id);
      return seen[0] as SeenEstimate;
    };
    const first = await held((progress) => progress.isEstimate);

    const next = await held((progress) => progress.isEstimate && progress.etaSeconds !== null);

    expect(first).toMatchObject({ stage: 'TRANSCRIBING', fraction: 0, totalSeconds: 2 });
    expect(next).toMatchObject({ stage: 'TRANSCRIBING', fraction: 0, totalSeconds: 2 });
  });

  it('that is down gets no jobs until a probe succeeds: they wait or move to the next engine', async () => {
    engines.deepgram.next({ kind: 'status', status: 503 });
    const waiting = await engines.service.jobs.accepted({ audio: engines.aTalk(), engines: ['DEEPGRAM'] });
    await eventually(async () => !(await engines.isAvailable('deepgram')), 'the breaker is open');
    const asked = engines.deepgram.requests.length;
    expect(await engines.metrics()).toContain('transcription_engine_available{queue="deepgram"} 0');

    const moved = await engines.finished({ audio: engines.aTalk(), engines: ['DEEPGRAM', 'WHISPER'] });

    expect(moved.attempts).toMatchObject([{ number: 1, engine: 'WHISPER', outcome: 'COMPLETED' }]);
    expect(engines.deepgram.requests).toHaveLength(asked);
    await engines.service.jobs.finished(waiting);
    expect((await engines.see(waiting)).attempts).toMatchObject([
      { outcome: 'FAILED', failure: { code: 'DEEPGRAM_UNAVAILABLE' } },
      { ...byDeepgram },
    ]);
    await eventually(() => engines.isAvailable('deepgram'), 'the breaker is closed');
    expect(await engines.metrics()).toContain('transcription_engine_available{queue="deepgram"} 1');
    expect(await engines.metrics()).toMatch(
      /^transcription_tasks_published_total\{queue="deepgram"\} [1-9]/m,
    );
    expect(await engines.metrics()).toMatch(/^transcription_events_projected_total [1-9]/m);
  });

  it('that refuses the key fails the job after one attempt, and the message says what to do', async () => {
    await hosted.stop();
    await engines.addHosted('wrong');

    const job = await engines.finished({ audio: engines.aTalk(), engines: ['DEEPGRAM'] });

    expect(job).toMatchObject({ status: 'FAILED', failure: { code: 'DEEPGRAM_KEY_INVALID' } });
    expect(job.attempts).toHaveLength(1);
    expect(job.attempts[0]?.failure?.message).toMatch(/DEEPGRAM_API_KEY/);
  });

  it('does not start without a key; the message names the missing variable', async () => {
    const started = startWorkerProcess({ DEEPGRAM_API_KEY: '' }, 30_000, ['--engine', 'deepgram']);

    await expect(started).rejects.toThrow(/ended with code 2.*DEEPGRAM_API_KEY is not set/s);
  });
});
