import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventSubject } from '../../../../src/contract/subjects.ts';
import type { EngineSegment } from '../../../../worker/engines/engine.ts';
import { ChainLostError, EventPublisher } from '../../../../worker/run/event-publisher.ts';
import { SegmentPublisher } from '../../../../worker/run/segment-publisher.ts';
import { WORKER_TIMING } from '../../../../worker/timing.ts';
import { aCheckpoint, aStartedEvent, JOB_ID, wordsOf } from '../../../support/builders.ts';
import { FakeNats } from '../../../support/fake-nats.ts';
import { logLines } from '../../../support/log-lines.ts';

const { coalesceMs, segmentsIntervalMs } = WORKER_TIMING;
/** The first piece of a recording. */
const PIECE = { offsetMs: 0, endMs: 60_000 };

const said = (startMs: number, endMs: number, text = `at ${startMs}`): EngineSegment => ({
  ...{ startMs, endMs, text, speaker: null, confidence: 0.5, words: null },
});

function aSegmentPublisher(checkpoint = aCheckpoint()) {
  const nats = new FakeNats();
  const errors: unknown[] = [];
  const events = new EventPublisher({
    ...{ nc: nats.nc, log: logLines().log, jobId: JOB_ID, runId: 'run-a', timing: WORKER_TIMING },
    plan: { attempt: 1, lostRuns: 0, checkpoint, expectedSequence: 0 },
    fence: new AbortController().signal,
    onConfirmed: () => undefined,
  });
  const segments = new SegmentPublisher(events, WORKER_TIMING, (error) => errors.push(error));
  const batches = () =>
    nats.eventsOf(JOB_ID).map((event) => {
      if (event.type !== 'segments') throw new Error(event.type);
      const { segmentCount, checkpointMs, language } = event;
      return { texts: event.segments.map(({ text }) => text), segmentCount, checkpointMs, language };
    });
  return { nats, segments, errors, batches };
}

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('segments', () => {
  it('of one moment share an event, which comes 50 ms after the first', async () => {
    const { segments, batches } = aSegmentPublisher();
    segments.add([said(0, 1_000)], PIECE);
    await vi.advanceTimersByTimeAsync(coalesceMs - 1);
    segments.add([said(1_000, 2_000), said(2_000, 2_500)], PIECE);
    expect(batches()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);

    expect(batches()).toEqual([
      { texts: ['at 0', 'at 1000', 'at 2000'], segmentCount: 3, checkpointMs: 2_500, language: null },
    ]);
    expect(segments).toMatchObject({ count: 3, endMs: 2_500, language: null });
  });

  it('that come faster wait until 300 ms after the event before', async () => {
    const { segments, batches } = aSegmentPublisher();
    segments.add([said(0, 1_000)], PIECE);
    await vi.advanceTimersByTimeAsync(coalesceMs);
    segments.add([said(1_000, 2_000)], PIECE);
    await vi.advanceTimersByTimeAsync(segmentsIntervalMs - 1);
    expect(batches()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(batches()).toHaveLength(2);

    await vi.advanceTimersByTimeAsync(10 * segmentsIntervalMs);
    segments.add([said(2_000, 3_000)], PIECE);
    await vi.advanceTimersByTimeAsync(coalesceMs);
    expect(batches()).toHaveLength(3);
  });

  it('are numbered on from the checkpoint, in the time of the recording, without overlap', async () => {
    const { segments, nats } = aSegmentPublisher(
      aCheckpoint({ segmentCount: 4, checkpointMs: 60_500, language: 'de' }),
    );
    expect(segments).toMatchObject({ count: 4, endMs: 60_500, language: 'de' });
    const words = wordsOf('some words', 0, 1_000);
    segments.add([{ ...said(0, 1_000), words }, said(900, 2_000)], { offsetMs: 60_000, endMs: 90_000 });
    await segments.finish();

    expect(nats.eventsOf(JOB_ID)).toMatchObject([
      {
        segments: [
          { index: 4, startMs: 60_500, endMs: 61_000, words: [{ text: 'some' }, { text: 'words' }] },
          { index: 5, startMs: 61_000, endMs: 62_000, words: null },
        ],
        segmentCount: 6,
        language: 'de',
      },
    ]);
  });

  it('without a text are none', async () => {
    const { segments, batches } = aSegmentPublisher();
    segments.add([said(0, 1_000, '  ')], PIECE);
    await vi.advanceTimersByTimeAsync(segmentsIntervalMs);

    expect(batches()).toEqual([]);
    expect(segments.count).toBe(0);
  });

  it('of many bytes become several events, and only the last has the end of the piece as its checkpoint', async () => {
    const { segments, batches } = aSegmentPublisher();
    const long = (startMs: number) => said(startMs, startMs + 1_000, 'x'.repeat(150_000));
    segments.add([long(0), long(1_000), long(2_000)], PIECE);
    segments.advance(30_000, 'en');
    await segments.finish();

    expect(batches().map(({ segmentCount, checkpointMs }) => [segmentCount, checkpointMs])).toEqual([
      [1, 1_000],
      [2, 2_000],
      [3, 30_000],
    ]);
  });
});

describe('a piece that is done', () => {
  it('moves the checkpoint, also where nothing was said', async () => {
    const { segments, batches } = aSegmentPublisher();
    segments.advance(30_000, null);
    await vi.advanceTimersByTimeAsync(coalesceMs);

    expect(batches()).toEqual([{ texts: [], segmentCount: 0, checkpointMs: 30_000, language: null }]);
  });

  it('keeps the language of the pieces before, until one has another', async () => {
    const { segments } = aSegmentPublisher();
    segments.advance(10_000, 'en');
    segments.advance(20_000, null);
    expect(segments.language).toBe('en');
    segments.advance(30_000, 'de');

    expect(await segments.finish()).toEqual({ checkpointMs: 30_000, language: 'de' });
  });

  it('publishes nothing when the checkpoint is there already', async () => {
    const { segments, batches } = aSegmentPublisher(aCheckpoint({ checkpointMs: 30_000 }));
    segments.advance(30_000, 'en');
    segments.advance(20_000, null);
    await vi.advanceTimersByTimeAsync(segmentsIntervalMs);

    expect(batches()).toEqual([]);
    expect(await segments.finish()).toEqual({ checkpointMs: 30_000, language: 'en' });
  });

  it('publishes the segments that wait, also where it ends before them', async () => {
    const { segments, batches } = aSegmentPublisher();
    segments.add([said(0, 9_000)], PIECE);
    segments.advance(8_000, 'en');
    await vi.advanceTimersByTimeAsync(coalesceMs);

    expect(batches()).toEqual([{ texts: ['at 0'], segmentCount: 1, checkpointMs: 9_000, language: 'en' }]);
  });

  it('never moves the checkpoint back before the last segment', async () => {
    const { segments } = aSegmentPublisher();
    segments.add([said(0, 9_000)], PIECE);
    segments.advance(8_000, null);

    expect(await segments.finish()).toEqual({ checkpointMs: 9_000, language: null });
  });
});

describe('the end of a run', () => {
  it('publishes at once what still waits, and gives the checkpoint for the last event', async () => {
    const { segments, batches } = aSegmentPublisher();
    segments.add([said(0, 1_000)], PIECE);
    segments.advance(5_000, 'en');

    expect(await segments.finish()).toEqual({ checkpointMs: 5_000, language: 'en' });
    expect(batches()).toEqual([{ texts: ['at 0'], segmentCount: 1, checkpointMs: 5_000, language: 'en' }]);
    await vi.advanceTimersByTimeAsync(10 * segmentsIntervalMs);
    expect(batches()).toHaveLength(1);
  });

  it('publishes nothing where nothing waits', async () => {
    const { segments, nats } = aSegmentPublisher();
    await segments.finish();

    expect(nats.requests).toEqual([]);
  });
});

it('a failed publication is reported at once, ends the publishing, and is thrown at the end', async () => {
  const { segments, nats, errors } = aSegmentPublisher();
  nats.store(eventSubject(JOB_ID), aStartedEvent({ runId: 'run-b' }));
  segments.add([said(0, 1_000)], PIECE);
  await vi.advanceTimersByTimeAsync(coalesceMs);
  expect(errors).toEqual([expect.any(ChainLostError)]);
  const { length } = nats.requests;
  segments.add([said(1_000, 2_000)], PIECE);
  await vi.advanceTimersByTimeAsync(10 * segmentsIntervalMs);

  expect(nats.requests).toHaveLength(length);
  await expect(segments.finish()).rejects.toBe(errors[0]);
});
