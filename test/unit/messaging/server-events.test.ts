import { describe, expect, it } from 'vitest';
import { CodecError } from '../../../src/contract/codec.ts';
import type { EventMessage } from '../../../src/contract/messages.ts';
import { eventSubject } from '../../../src/contract/subjects.ts';
import { attemptForTask, endingEvent, endRun } from '../../../src/messaging/server-events.ts';
import {
  aCompletedEvent,
  aFailedEvent,
  aFailure,
  anEndingEvent,
  aSegment,
  aSegmentsEvent,
  aStartedEvent,
  JOB_ID,
  NOON,
} from '../../support/builders.ts';
import { FakeNats } from '../../support/fake-nats.ts';

const CANCELED = { type: 'canceled' } as const;
const LOST = { type: 'lost' } as const;
const FAILED = { type: 'failed', failure: aFailure({ code: 'DEADLINE_EXCEEDED' }) } as const;
const UNREADABLE = { event: null, malformed: new CodecError('x'), sequence: 7 } as const;
const behind = (event: EventMessage) => ({ event, malformed: null, sequence: 7 }) as const;

/** Attempt 2, third event. */
const running = aSegmentsEvent([aSegment({ index: 4, endMs: 9_000 })], {
  ...{ attempt: 2, ordinal: 3, generation: 1, language: 'de', lostRuns: 1 },
});
const released = anEndingEvent('released', { attempt: 2, ordinal: 4, lostRuns: 1 });

describe('what the server puts on a chain', () => {
  it('ends a job that has no run yet, in the attempt after the one that the database has', () => {
    expect(endingEvent(JOB_ID, null, CANCELED, 0, NOON)).toEqual({
      ...{ v: 2, jobId: JOB_ID, type: 'canceled', attempt: 1, ordinal: 1, at: NOON.getTime() },
      ...{ runId: expect.stringMatching(/^server-/) },
      ...{ generation: 0, segmentCount: 0, checkpointMs: 0, language: null, lostRuns: 0 },
    });
    expect(endingEvent(JOB_ID, null, FAILED, 3, NOON)).toMatchObject({
      ...{ type: 'failed', attempt: 4, ordinal: 1, failure: FAILED.failure, requestId: null },
    });
    expect(endingEvent(JOB_ID, null, LOST, 0, NOON)).toBeNull();
  });

  it('counts a run as lost, behind its last event, with its checkpoint', () => {
    const { generation, segmentCount, checkpointMs, language } = running;
    expect(endingEvent(JOB_ID, behind(running), LOST, 2, NOON)).toMatchObject({
      ...{ type: 'lost', attempt: 2, ordinal: 4, lostRuns: 2 },
      ...{ generation, segmentCount, checkpointMs, language },
    });
  });

  it('counts a run of an opaque last event as lost, too', () => {
    const opaque: EventMessage = { ...released, type: 'opaque', unknownType: 'paused' };
    expect(endingEvent(JOB_ID, behind(opaque), LOST, 2, NOON)).toMatchObject({ attempt: 2, ordinal: 5 });
    expect(endingEvent(JOB_ID, behind(opaque), CANCELED, 2, NOON)).toBeNull();
  });

  it('does not call a run lost that the database is past', () => {
    expect(endingEvent(JOB_ID, behind(running), LOST, 3, NOON)).toBeNull();
  });

  it('neither cancels nor fails a job that a worker has', () => {
    expect(endingEvent(JOB_ID, behind(running), CANCELED, 2, NOON)).toBeNull();
    expect(endingEvent(JOB_ID, behind(running), FAILED, 2, NOON)).toBeNull();
  });

  it('fails a job that a worker has where it must, in the next attempt and without the flag', () => {
    const forced = { ...FAILED, evenIfRunning: true } as const;
    const event = endingEvent(JOB_ID, behind(running), forced, 2, NOON);

    expect(event).toMatchObject({ type: 'failed', attempt: 3, ordinal: 1, failure: FAILED.failure });
    expect(event).not.toHaveProperty('evenIfRunning');
    expect(endingEvent(JOB_ID, behind(aCompletedEvent()), forced, 0, NOON)).toBeNull();
  });

  it.each([aCompletedEvent(), anEndingEvent('canceled')])('leaves a finished job alone ($type)', (end) => {
    for (const ending of [CANCELED, FAILED, LOST]) {
      expect(endingEvent(JOB_ID, behind(end), ending, 0, NOON)).toBeNull();
    }
  });

  it.each([released, aFailedEvent(aFailure(), { attempt: 2, ordinal: 4, lostRuns: 1 })])(
    'ends a waiting job in the next attempt ($type before): its row may have refused the last one on the chain',
    (end) => {
      expect(endingEvent(JOB_ID, behind(end), CANCELED, 2, NOON)).toMatchObject({
        ...{ type: 'canceled', attempt: 3, ordinal: 1, lostRuns: 1 },
      });
      expect(endingEvent(JOB_ID, behind(end), CANCELED, 4, NOON)).toMatchObject({ attempt: 5, ordinal: 1 });
      expect(endingEvent(JOB_ID, behind(end), FAILED, 2, NOON)).toMatchObject({ attempt: 3, ordinal: 1 });
      expect(endingEvent(JOB_ID, behind(end), LOST, 2, NOON)).toBeNull();
    },
  );

  it('fails a lost run behind an event that cannot be read, so that the job goes on', () => {
    expect(endingEvent(JOB_ID, UNREADABLE, LOST, 2, NOON)).toMatchObject({
      ...{ type: 'failed', attempt: 3, ordinal: 1, lostRuns: 0 },
      failure: { kind: 'INTERNAL', code: 'CHAIN_UNREADABLE', retryable: true },
    });
    expect(endingEvent(JOB_ID, UNREADABLE, CANCELED, 2, NOON)).toMatchObject({
      type: 'canceled',
      attempt: 3,
    });
    expect(endingEvent(JOB_ID, UNREADABLE, FAILED, 2, NOON)).toMatchObject({ failure: FAILED.failure });
  });
});

describe('endRun', () => {
  it('publishes the end and returns it', async () => {
    const nats = new FakeNats();
    nats.store(eventSubject(JOB_ID), running);
    const result = await endRun(nats.nc, JOB_ID, LOST, 2, NOON);

    expect(result).toMatchObject({ ended: true, event: { type: 'lost', ordinal: 4 } });
    expect(nats.eventsOf(JOB_ID)).toEqual([running, result.ended && result.event]);
  });

  it('ends nothing where a worker was faster', async () => {
    const nats = new FakeNats();
    nats.refusals.push(10_071);

    expect(await endRun(nats.nc, JOB_ID, CANCELED, 0, NOON)).toEqual({ ended: false });
  });

  it('ends nothing that it may not end, and publishes nothing', async () => {
    const nats = new FakeNats();
    nats.store(eventSubject(JOB_ID), running);

    expect(await endRun(nats.nc, JOB_ID, CANCELED, 2, NOON)).toEqual({ ended: false });
    expect(nats.stored).toHaveLength(1);
  });
});

describe('attemptForTask', () => {
  const attempt = async (
    event: EventMessage | object,
    rows: { nextAttempt: number; appliedSequence: number },
  ) => {
    const nats = new FakeNats();
    nats.store(eventSubject(JOB_ID), event);
    return { attempt: await attemptForTask(nats.nc, JOB_ID, rows, NOON), events: nats.stored.length, nats };
  };

  it('opens a chain again that ends in an outcome which the rows refused', async () => {
    const completed = aCompletedEvent({ attempt: 2, segmentCount: 5 });
    const { attempt: next, nats } = await attempt(completed, { nextAttempt: 2, appliedSequence: 1 });

    expect(next).toBe(4);
    expect(nats.eventsOf(JOB_ID).at(-1)).toMatchObject({
      type: 'released',
      attempt: 3,
      ordinal: 1,
      segmentCount: 5,
    });
  });

  it('gives no attempt where a worker extends that chain first', async () => {
    const nats = new FakeNats();
    nats.store(eventSubject(JOB_ID), anEndingEvent('canceled'));
    nats.refusals.push(10_071);

    expect(await attemptForTask(nats.nc, JOB_ID, { nextAttempt: 2, appliedSequence: 1 }, NOON)).toBeNull();
  });

  it('is the one of the rows while the chain is empty', async () => {
    const rows = { nextAttempt: 3, appliedSequence: 0 };
    expect(await attemptForTask(new FakeNats().nc, JOB_ID, rows, NOON)).toBe(3);
  });

  it('is the next after an end that the rows have, and none before they have it', async () => {
    expect(await attempt(released, { nextAttempt: 2, appliedSequence: 1 })).toMatchObject({
      attempt: 3,
      events: 1,
    });
    expect(await attempt(released, { nextAttempt: 5, appliedSequence: 1 })).toMatchObject({
      attempt: 5,
      events: 1,
    });
    expect(await attempt(released, { nextAttempt: 2, appliedSequence: 0 })).toMatchObject({
      attempt: null,
      events: 1,
    });
  });

  it('is the running attempt, unless the rows are more than one past it', async () => {
    const started = aStartedEvent({ attempt: 4 });
    expect(await attempt(started, { nextAttempt: 5, appliedSequence: 0 })).toMatchObject({ attempt: 4 });
    expect(await attempt(started, { nextAttempt: 6, appliedSequence: 0 })).toMatchObject({ attempt: 6 });
  });

  it('puts a failure behind an event that cannot be read, once the rows are past it', async () => {
    expect(await attempt({ v: 99 }, { nextAttempt: 3, appliedSequence: 0 })).toMatchObject({
      ...{ attempt: null, events: 1 },
    });
    const { attempt: next, nats } = await attempt({ v: 99 }, { nextAttempt: 3, appliedSequence: 1 });
    expect(next).toBeNull();
    expect(nats.stored).toHaveLength(2);
    expect(JSON.parse(Buffer.from(nats.stored[1]?.bytes ?? []).toString())).toMatchObject({
      ...{ type: 'failed', attempt: 3, failure: { code: 'CHAIN_UNREADABLE' } },
    });
  });
});
