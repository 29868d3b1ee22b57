import { describe, expect, it } from 'vitest';
import { applyEvent } from '../../../src/app/apply-event.ts';
import type { EventMessage } from '../../../src/contract/messages.ts';
import type { Job } from '../../../src/domain/job.ts';
import type { JobUpdate } from '../../../src/domain/job-update.ts';
import type { Refusal } from '../../../src/domain/lifecycle-events.ts';
import {
  AT_NOON,
  aCheckpoint,
  aCompletedEvent,
  aCompletedJob,
  aFailedEvent,
  aFailure,
  anAudioEvent,
  anEndingEvent,
  aProcessingJob,
  aQueuedJob,
  aSegment,
  aSegmentsEvent,
  aStartedEvent,
  INSTANCE,
  later,
  NOON,
} from '../../support/builders.ts';

/** The server reads an event a little after it was made. */
const NOW = later(200);
const CONTEXT = { ...AT_NOON, now: NOW };

function updateOf(job: Job, event: EventMessage): JobUpdate {
  const applied = applyEvent(job, event, new Date(event.at), CONTEXT);
  if (!applied.ok) throw new Error(`refused: ${applied.refusal}`);
  return applied.update;
}

function refusalOf(job: Job, event: EventMessage): Refusal | null {
  const applied = applyEvent(job, event, new Date(event.at), CONTEXT);
  return applied.ok ? null : applied.refusal;
}

const SECOND = aSegment({ index: 1, startMs: 2_000, endMs: 3_500, text: 'How are you?' });

describe('applyEvent', () => {
  it('keeps both times: of the event, and of its application', () => {
    expect(updateOf(aQueuedJob(), aStartedEvent())).toMatchObject({ at: NOW, eventAt: NOON });
  });

  it('opens an attempt when a run starts', () => {
    const update = updateOf(aQueuedJob(), aStartedEvent({ model: 'large-v3' }));

    expect(update).toMatchObject({
      job: { status: 'PROCESSING', attempt: 1, runId: INSTANCE },
      workerId: 'wrk_1',
      attemptStarted: {
        number: 1,
        engine: 'WHISPER',
        model: 'large-v3',
        workerId: 'wrk_1',
        runId: INSTANCE,
        startedAt: NOON,
      },
    });
    expect(update.attemptEnded ?? []).toEqual([]);
    expect(update.dropSegmentsFrom).toBeUndefined();
  });

  it('closes an attempt without an end as lost', () => {
    const update = updateOf(aProcessingJob(), aStartedEvent({ attempt: 2, runId: 'run-b' }));

    expect(update.attemptEnded).toEqual([
      { number: 1, outcome: 'LOST', failure: null, finishedAt: NOON, requestId: null },
    ]);
    expect(update.attemptStarted?.number).toBe(2);
  });

  it('drops the segments that a run transcribes again', () => {
    const checkpoint = aCheckpoint({ segmentCount: 5, checkpointMs: 50_000 });
    const job = aQueuedJob({ attempt: 1, lastOrdinal: 9, checkpoint });

    const update = updateOf(job, aStartedEvent({ attempt: 2, segmentCount: 3, checkpointMs: 30_000 }));

    expect(update.dropSegmentsFrom).toBe(3);
    expect(update.job.checkpoint).toMatchObject({ generation: 1, segmentCount: 3 });
  });

  it('stores the measured properties of the recording', () => {
    expect(updateOf(aProcessingJob(), anAudioEvent()).audio).toMatchObject({
      durationMs: 60_000,
      codec: 'mp3',
      sampleRate: 44_100,
      channels: 2,
      sizeBytes: 960_000,
      sha256: null,
    });
  });

  it('counts an event of an unknown type as the next of its run, and changes nothing else', () => {
    const opaque: EventMessage = { ...anEndingEvent('canceled'), type: 'opaque', unknownType: 'paused' };
    const { job, ...update } = updateOf(aProcessingJob(), opaque);

    expect(job).toEqual(aProcessingJob({ lastOrdinal: 2 }));
    expect(update).toEqual({ at: NOW, eventAt: NOON });
    expect(refusalOf(aProcessingJob(), { ...opaque, ordinal: 3 })).toBe('GAP');
  });

  it('appends segments and moves the checkpoint behind them', () => {
    const update = updateOf(aProcessingJob(), aSegmentsEvent([aSegment(), SECOND], { language: 'en' }));

    expect(update.segments).toEqual([aSegment(), SECOND]);
    expect(update.job.checkpoint).toEqual(
      aCheckpoint({ segmentCount: 2, checkpointMs: 3_500, language: 'en' }),
    );
  });

  it('moves the checkpoint over silence', () => {
    const update = updateOf(aProcessingJob(), aSegmentsEvent([], { checkpointMs: 30_000 }));

    expect(update.segments).toEqual([]);
    expect(update.job.checkpoint).toMatchObject({ segmentCount: 0, checkpointMs: 30_000 });
  });

  it('refuses segments that would leave a gap in the transcript', () => {
    expect(refusalOf(aProcessingJob(), aSegmentsEvent([SECOND]))).toBe('GAP');
  });

  it('ends the attempt and the job when the run completes, and adds its cost', () => {
    const update = updateOf(aProcessingJob(), aCompletedEvent({ requestId: 'req-7', model: 'nova-3' }));

    expect(update).toMatchObject({
      job: { status: 'COMPLETED', finishedAt: NOW },
      attemptEnded: [
        {
          number: 1,
          outcome: 'COMPLETED',
          failure: null,
          finishedAt: NOON,
          requestId: 'req-7',
          model: 'nova-3',
        },
      ],
      languageConfidence: 0.98,
      billedMs: 60_000,
      computeMs: 12_000,
    });
  });

  it('stores the failure and the engine’s id of the request with the attempt', () => {
    const failure = aFailure();

    const update = updateOf(aProcessingJob(), aFailedEvent(failure, { requestId: 'req-8' }));

    expect(update.job).toMatchObject({ status: 'RETRYING', failure });
    expect(update.attemptEnded).toEqual([
      { number: 1, outcome: 'FAILED', failure, finishedAt: NOON, requestId: 'req-8' },
    ]);
  });

  it.each([
    { type: 'canceled', outcome: 'CANCELED', status: 'CANCELED', runId: INSTANCE },
    { type: 'released', outcome: 'RELEASED', status: 'QUEUED', runId: INSTANCE },
    { type: 'lost', outcome: 'LOST', status: 'QUEUED', runId: 'server-1' },
  ] as const)('ends an attempt that was $type', ({ type, outcome, status, runId }) => {
    const update = updateOf(aProcessingJob(), anEndingEvent(type, { runId }));

    expect(update.job.status).toBe(status);
    expect(update.attemptEnded).toEqual([
      { number: 1, outcome, failure: null, finishedAt: NOON, requestId: null },
    ]);
  });

  it('closes the lost attempt when a worker finds the job canceled instead of starting another', () => {
    const job = aProcessingJob({ cancelRequestedAt: NOON, lastOrdinal: 7 });

    const update = updateOf(job, anEndingEvent('canceled', { attempt: 2, runId: 'run-b', ordinal: 1 }));

    expect(update.job).toMatchObject({ status: 'CANCELED', attempt: 2, lastOrdinal: 1 });
    expect(update.attemptEnded).toEqual([
      { number: 1, outcome: 'LOST', failure: null, finishedAt: NOON, requestId: null },
    ]);
  });

  it.each([
    { because: 'a job that is over', job: aCompletedJob(), refusal: 'JOB_FINAL' },
    { because: 'a former attempt', job: aProcessingJob({ attempt: 2 }), refusal: 'STALE' },
    { because: 'a foreign run', job: aProcessingJob({ runId: 'run-b' }), refusal: 'NOT_THE_RUN' },
    { because: 'a repeat', job: aProcessingJob({ lastOrdinal: 2 }), refusal: 'STALE' },
    { because: 'missing events before it', job: aProcessingJob({ lastOrdinal: 0 }), refusal: 'GAP' },
  ] as const)('passes on why an event was refused: $because', ({ job, refusal }) => {
    for (const event of [anAudioEvent(), aSegmentsEvent([]), aCompletedEvent(), aFailedEvent(aFailure())]) {
      expect(refusalOf(job, event)).toBe(refusal);
    }
    expect(refusalOf(job, anEndingEvent('released'))).toBe(refusal);
    expect(refusalOf(job, anEndingEvent('canceled'))).toBe(refusal);
  });
});
