import { describe, expect, it } from 'vitest';
import { CodecError } from '../../../src/contract/codec.ts';
import type { EventMessage } from '../../../src/contract/messages.ts';
import { judgeEvent } from '../../../src/leader/judge-event.ts';
import {
  AT_NOON,
  aCompletedEvent,
  aCompletedJob,
  anAudioEvent,
  aProcessingJob,
  aStartedEvent,
  NOON,
} from '../../support/builders.ts';

const read = (event: EventMessage) => ({ event, malformed: null, at: NOON });

describe('judgeEvent', () => {
  it('applies the next event of a run', () => {
    expect(judgeEvent(read(aCompletedEvent()), aProcessingJob(), AT_NOON)).toMatchObject({
      action: 'apply',
      update: { job: { status: 'COMPLETED' } },
    });
  });

  it.each([
    { reason: 'JOB_DELETED', job: undefined },
    { reason: 'JOB_FINAL', job: aCompletedJob() },
    { reason: 'STALE', job: aProcessingJob({ lastOrdinal: 2 }) },
    { reason: 'NOT_THE_RUN', job: aProcessingJob({ runId: 'run-b' }) },
  ])('passes over one that may not count: $reason', ({ reason, job }) => {
    expect(judgeEvent(read(anAudioEvent()), job, AT_NOON)).toEqual({ action: 'passOver', reason });
  });

  it('ends the job with one that events before it are missing for, and names both places', () => {
    expect(judgeEvent(read(anAudioEvent({ ordinal: 4 })), aProcessingJob(), AT_NOON)).toMatchObject({
      action: 'break',
      problem: 'audio event 1.4 of run-a does not follow on 1.1 (PROCESSING)',
      update: {
        job: {
          status: 'FAILED',
          deadLetteredAt: NOON,
          failure: { code: 'EVENTS_MISSING', retryable: false },
        },
        attemptEnded: [{ number: 1, outcome: 'FAILED' }],
      },
    });
  });

  it('ends the job with one that cannot be read, with the reason for operators', () => {
    const malformed = new CodecError('message is not JSON in UTF-8');

    expect(judgeEvent({ event: null, malformed, at: NOON }, aProcessingJob(), AT_NOON)).toMatchObject({
      action: 'break',
      problem: 'message is not JSON in UTF-8',
      update: { job: { failure: { code: 'EVENT_UNREADABLE', detail: 'message is not JSON in UTF-8' } } },
    });
  });

  it('passes over one that cannot be read where the job is final already', () => {
    const malformed = new CodecError('message is not JSON in UTF-8');

    expect(judgeEvent({ event: null, malformed, at: NOON }, aCompletedJob(), AT_NOON)).toEqual({
      action: 'passOver',
      reason: 'JOB_FINAL',
    });
  });

  it('passes over the release by which the server opens an ended chain again', () => {
    const released = {
      ...aStartedEvent({ attempt: 3, runId: 'server-1' }),
      type: 'released',
    } as EventMessage;

    expect(judgeEvent(read(released), aProcessingJob(), AT_NOON)).toEqual({
      action: 'passOver',
      reason: 'STALE',
    });
  });
});
