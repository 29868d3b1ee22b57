import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProgressPublisher } from '../../../../worker/run/progress-publisher.ts';
import { WORKER_TIMING } from '../../../../worker/timing.ts';
import { JOB_ID, NOON } from '../../../support/builders.ts';
import { FakeNats } from '../../../support/fake-nats.ts';

const { progressMs, livenessMs } = WORKER_TIMING;

function aPublisher(change: { readonly startMs?: number; readonly usualRate?: number | null } = {}) {
  const nats = new FakeNats();
  const progress = new ProgressPublisher({
    ...{ nc: nats.nc, jobId: JOB_ID, attempt: 2, runId: 'run-a', timing: WORKER_TIMING },
    ...{ startMs: 0, usualRate: null, ...change },
  });
  return { nats, progress, last: () => nats.progress.at(-1) };
}

beforeEach(() => {
  vi.useFakeTimers({ now: NOON });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('progress', () => {
  it('is published at once, and then at least every two seconds while nothing changes', () => {
    const { nats, progress } = aPublisher({ startMs: 3_000 });
    progress.start();
    expect(nats.progress).toEqual([
      {
        ...{ v: 2, jobId: JOB_ID, attempt: 2, runId: 'run-a', at: NOON.getTime(), stage: 'FETCHING' },
        ...{ processedMs: 3_000, totalMs: null, realtimeFactor: null, estimated: false, etaMs: null },
      },
    ]);
    vi.advanceTimersByTime(3 * livenessMs);

    expect(nats.progress.map(({ at }) => at - NOON.getTime())).toEqual(
      [0, 1, 2, 3].map((turn) => turn * livenessMs),
    );
  });

  it('is published at most four times a second, however often it changes', () => {
    const { nats, progress } = aPublisher();
    progress.start();
    for (let at = 0; at < 1_000; at += 10) {
      progress.processed(at);
      vi.advanceTimersByTime(10);
    }

    expect(nats.progress.map(({ at }) => at - NOON.getTime())).toEqual([
      0,
      progressMs,
      2 * progressMs,
      3 * progressMs,
      4 * progressMs,
    ]);
    expect(nats.progress.map(({ processedMs }) => processedMs)).toEqual([0, 240, 490, 740, 990]);
  });

  it('comes at once after a quiet time', () => {
    const { nats, progress } = aPublisher();
    progress.start();
    vi.advanceTimersByTime(progressMs + 1);
    progress.enter('DECODING');
    vi.advanceTimersByTime(0);

    expect(nats.progress.map(({ stage }) => stage)).toEqual(['FETCHING', 'DECODING']);
  });

  it('stops with its run, with what it was about to publish', () => {
    const { nats, progress } = aPublisher();
    progress.start();
    progress.processed(1);
    progress.stop();
    progress.processed(2);
    vi.advanceTimersByTime(10 * livenessMs);

    expect(nats.progress).toHaveLength(1);
  });

  it('is published for nothing before the run starts', () => {
    const { nats, progress } = aPublisher();
    progress.processed(1);
    vi.advanceTimersByTime(10 * livenessMs);

    expect(nats.progress).toEqual([]);
  });
});

describe('what is processed', () => {
  it('never falls, is whole, and never passes the length of the recording', () => {
    const { progress, last } = aPublisher();
    progress.start();
    const processed = (ms: number) => {
      progress.processed(ms);
      vi.advanceTimersByTime(progressMs);
      return last()?.processedMs;
    };

    expect([1_000.4, 500, 2_000].map(processed)).toEqual([1_000, 1_000, 2_000]);
    progress.total(1_500);
    expect([1_700, 3_000].map(processed)).toEqual([2_000, 2_000]);
    progress.total(9_000);
    expect([5_000, 10_000].map(processed)).toEqual([5_000, 9_000]);
    expect(last()?.totalMs).toBe(9_000);
  });
});

describe('speed and time left', () => {
  it('are unknown before something is transcribed', () => {
    const { progress, last } = aPublisher();
    progress.start();
    progress.total(60_000);
    progress.processed(10_000);
    vi.advanceTimersByTime(progressMs);

    expect(last()).toMatchObject({ realtimeFactor: null, etaMs: null, totalMs: 60_000 });
  });

  it('are unknown while nothing is processed, and while the length is unknown', () => {
    const { progress, last } = aPublisher({ usualRate: 4 });
    progress.start();
    progress.enter('TRANSCRIBING');
    vi.advanceTimersByTime(livenessMs);
    expect(last()).toMatchObject({ realtimeFactor: null, etaMs: null });
    progress.total(60_000);
    vi.advanceTimersByTime(progressMs);

    expect(last()).toMatchObject({ realtimeFactor: null, etaMs: 15_000 });
  });

  it('are not measured while the recording is fetched and decoded', () => {
    const { progress, last } = aPublisher();
    progress.start();
    progress.total(60_000);
    progress.enter('DECODING');
    vi.advanceTimersByTime(10_000);
    progress.enter('TRANSCRIBING');
    vi.advanceTimersByTime(1_000);
    progress.processed(10_000);
    vi.advanceTimersByTime(0);

    expect(last()).toMatchObject({ realtimeFactor: 10, etaMs: 5_000 });
  });

  it('are an estimate from the start while transcribing has not begun', () => {
    const { progress, last } = aPublisher({ usualRate: 4 });
    progress.start();
    progress.total(60_000);
    progress.indeterminate(true);
    vi.advanceTimersByTime(livenessMs);

    expect(last()).toMatchObject({ estimated: true, etaMs: 15_000 });
  });

  it('are measured from the checkpoint on, since transcribing began', () => {
    const { progress, last } = aPublisher({ startMs: 20_000 });
    progress.start();
    progress.total(60_000);
    vi.advanceTimersByTime(5_000);
    progress.enter('TRANSCRIBING');
    vi.advanceTimersByTime(2_000);
    progress.enter('TRANSCRIBING');
    progress.processed(30_000);
    vi.advanceTimersByTime(progressMs);

    // 10 s of audio in the time since the first `TRANSCRIBING`.
    const elapsedMs = 2_000;
    expect(last()?.realtimeFactor).toBeCloseTo(10_000 / elapsedMs);
    expect(last()?.etaMs).toBe(Math.round(30_000 / (10_000 / elapsedMs)));
  });

  it('follow from earlier runs until this one is measured', () => {
    const { progress, last } = aPublisher({ usualRate: 4 });
    progress.start();
    progress.total(60_000);
    vi.advanceTimersByTime(progressMs);

    expect(last()).toMatchObject({ realtimeFactor: null, etaMs: 15_000, estimated: false });
  });

  it('are an estimate that runs down while the engine does not say how far it is', () => {
    const { progress, last } = aPublisher({ usualRate: 4 });
    progress.start();
    progress.total(60_000);
    progress.enter('TRANSCRIBING');
    progress.indeterminate(true);
    vi.advanceTimersByTime(2 * livenessMs);
    expect(last()).toMatchObject({ estimated: true, realtimeFactor: null, etaMs: 15_000 - 2 * livenessMs });
    vi.advanceTimersByTime(60_000);
    expect(last()?.etaMs).toBe(0);

    progress.processed(30_000);
    progress.indeterminate(false);
    vi.advanceTimersByTime(progressMs);
    expect(last()).toMatchObject({ estimated: false });
    expect(last()?.realtimeFactor).toBeGreaterThan(0);
  });

  it.each([null, 0, -1])('are unknown for a usual rate of %s', (usualRate) => {
    const { progress, last } = aPublisher({ usualRate });
    progress.start();
    progress.total(60_000);
    vi.advanceTimersByTime(progressMs);

    expect(last()?.etaMs).toBeNull();
  });
});
