import { describe, expect, it } from 'vitest';
import type { JobView, ProgressView } from '../../../src/domain/job-view.ts';
import { type LiveProgress, withLiveProgress } from '../../../src/live/live-progress.ts';
import { aProgress, later, NOON } from '../../support/builders.ts';
import { aJobView } from '../../support/fake-application.ts';

const NOTHING_LIVE: LiveProgress = { latest: null, checkpointMs: 0, segmentCount: 0 };

function aRunningJob(progress: Partial<ProgressView> = {}): JobView {
  const stored = aJobView({ status: 'PROCESSING', attempt: 1 });
  return { ...stored, progress: { ...stored.progress, ...progress } };
}

const progressOf = (stored: Partial<ProgressView>, live: Partial<LiveProgress>): ProgressView =>
  withLiveProgress(aRunningJob(stored), { ...NOTHING_LIVE, ...live }).progress;

describe('live progress', () => {
  it('shows the newest progress of the current attempt', () => {
    const progress = progressOf({}, { latest: aProgress({ at: later(900).getTime() }) });

    expect(progress).toEqual({
      stage: 'TRANSCRIBING',
      fraction: 0.7,
      processedSeconds: 7,
      totalSeconds: 10,
      segmentCount: 0,
      realtimeFactor: 2,
      etaSeconds: 2,
      isEstimate: false,
      updatedAt: later(900),
    });
  });

  it.each(['QUEUED', 'RETRYING', 'COMPLETED', 'CANCELED'] as const)(
    'leaves a %s job as it is stored',
    (status) => {
      const view = aJobView({ status, attempt: 1 });

      expect(withLiveProgress(view, { ...NOTHING_LIVE, latest: aProgress() })).toBe(view);
    },
  );

  it('changes nothing but the progress', () => {
    const view = aRunningJob();

    const { progress: _live, ...rest } = withLiveProgress(view, { ...NOTHING_LIVE, latest: aProgress() });

    const { progress: _stored, ...stored } = view;
    expect(rest).toEqual(stored);
  });

  it('ignores progress of another attempt', () => {
    const progress = progressOf(
      { updatedAt: NOON },
      { latest: aProgress({ attempt: 2, at: later(900).getTime() }) },
    );

    expect(progress).toMatchObject({
      ...{ stage: 'FETCHING', fraction: 0, processedSeconds: 0, totalSeconds: null },
      ...{ realtimeFactor: null, etaSeconds: null, isEstimate: false, updatedAt: NOON },
    });
  });

  it.each([
    { most: 'the stored position', stored: 9, checkpointMs: 8_000, processedMs: 7_000, expected: 9 },
    { most: 'the live checkpoint', stored: 7, checkpointMs: 9_000, processedMs: 8_000, expected: 9 },
    { most: 'the progress message', stored: 7, checkpointMs: 8_000, processedMs: 9_000, expected: 9 },
  ])('takes the furthest position: $most', ({ stored, checkpointMs, processedMs, expected }) => {
    const progress = progressOf(
      { processedSeconds: stored },
      { checkpointMs, latest: aProgress({ processedMs }) },
    );

    expect(progress.processedSeconds).toBe(expected);
    expect(progress.fraction).toBeCloseTo(expected / 10);
  });

  it('prefers the stored length, and has no fraction without a length', () => {
    const unknown = aProgress({ totalMs: null });

    expect(progressOf({ totalSeconds: 20 }, { latest: aProgress() })).toMatchObject({
      totalSeconds: 20,
      fraction: 0.35,
    });
    expect(progressOf({}, { latest: unknown })).toMatchObject({ totalSeconds: null, fraction: 0 });
    expect(progressOf({ totalSeconds: 0 }, { latest: unknown })).toMatchObject({
      totalSeconds: 0,
      fraction: 0,
    });
  });

  it('never falls and never reaches 1 while the job runs', () => {
    expect(progressOf({ fraction: 0.8 }, { latest: aProgress() }).fraction).toBe(0.8);
    expect(progressOf({}, { latest: aProgress({ processedMs: 10_000 }) }).fraction).toBe(0.999);
    expect(progressOf({}, { latest: aProgress({ processedMs: 12_000 }) }).fraction).toBe(0.999);
  });

  it('guesses the stage from the position when there is no progress message', () => {
    expect(progressOf({}, {}).stage).toBe('FETCHING');
    expect(progressOf({}, { checkpointMs: 1 }).stage).toBe('TRANSCRIBING');
    expect(progressOf({}, { latest: aProgress({ stage: 'DECODING' }) }).stage).toBe('DECODING');
  });

  it('counts stored and live segments, whichever are more', () => {
    expect(progressOf({ segmentCount: 5 }, { segmentCount: 3 }).segmentCount).toBe(5);
    expect(progressOf({ segmentCount: 3 }, { segmentCount: 5 }).segmentCount).toBe(5);
  });

  it('passes on estimates and missing figures', () => {
    const latest = aProgress({ estimated: true, etaMs: null, realtimeFactor: null });

    expect(progressOf({}, { latest })).toMatchObject({
      isEstimate: true,
      etaSeconds: null,
      realtimeFactor: null,
    });
  });

  it('is as recent as the later of row and message', () => {
    const latest = aProgress({ at: NOON.getTime() });

    expect(progressOf({ updatedAt: later(500) }, { latest }).updatedAt).toEqual(later(500));
    expect(progressOf({ updatedAt: later(-500) }, { latest }).updatedAt).toEqual(NOON);
  });
});
