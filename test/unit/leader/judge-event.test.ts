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
} from '../../support/builders.ts';

const read = (event: EventMessage) => ({ event, malformed: null });

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

  it('quarantines one that events before it are missing for, and names both places', () => {
    expect(judgeEvent(read(anAudioEvent({ ordinal: 4 })), aProcessingJob(), AT_NOON)).toEqual({
      action: 'quarantine',
      problem: 'audio event 1.4 of run-a does not follow on 1.1 (PROCESSING)',
    });
  });

  it('quarantines one that cannot be read, with the reason', () => {
    const malformed = new CodecError('message is not JSON in UTF-8');

    expect(judgeEvent({ event: null, malformed }, aProcessingJob(), AT_NOON)).toEqual({
      action: 'quarantine',
      problem: 'message is not JSON in UTF-8',
    });
  });
});
