import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CodecError, MAX_MESSAGE_BYTES } from '../../../../src/contract/codec.ts';
import { eventSubject } from '../../../../src/contract/subjects.ts';
import {
  ChainLostError,
  EventPublisher,
  type EventPublisherOptions,
  FencedError,
} from '../../../../worker/run/event-publisher.ts';
import { WORKER_TIMING } from '../../../../worker/timing.ts';
import { aCheckpoint, aSegment, aStartedEvent, JOB_ID } from '../../../support/builders.ts';
import { FakeNats } from '../../../support/fake-nats.ts';
import { logLines } from '../../../support/log-lines.ts';

const subject = eventSubject(JOB_ID);
const STARTED = { type: 'started', workerId: 'wrk_1', engine: 'WHISPER', model: 'base' } as const;
const SEGMENTS = { type: 'segments', segments: [{ ...aSegment(), words: null }] } as const satisfies object;

function aPublisher(change: Partial<EventPublisherOptions> = {}) {
  const nats = new FakeNats();
  const fence = new AbortController();
  const confirmed: number[] = [];
  const { log, messages } = logLines();
  const events = new EventPublisher({
    nc: nats.nc,
    log,
    jobId: JOB_ID,
    runId: 'run-a',
    plan: { attempt: 2, lostRuns: 1, checkpoint: aCheckpoint(), expectedSequence: 0 },
    timing: { ...WORKER_TIMING, publishRetryMs: 1, fenceMs: 2_000 },
    fence: fence.signal,
    onConfirmed: (sentAt) => confirmed.push(sentAt),
    ...change,
  });
  return { nats, fence, confirmed, messages, events };
}

// Only what a test advances passes; waiting between two tries is real.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'], now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the events of a run', () => {
  it('follow on each other, each with the checkpoint after it', async () => {
    const { nats, events } = aPublisher();
    expect(events).toMatchObject({ attempt: 2, runId: 'run-a', checkpoint: aCheckpoint() });
    const before = Date.now();
    await events.publish(STARTED);
    const after = { segmentCount: 1, checkpointMs: 2_000, language: 'en' };
    await events.publish({ ...SEGMENTS, segments: [...SEGMENTS.segments] }, after);
    await events.publish({ type: 'canceled' }, { checkpointMs: 3_000 });

    const common = { v: 2, jobId: JOB_ID, attempt: 2, runId: 'run-a', lostRuns: 1, at: expect.any(Number) };
    expect(nats.eventsOf(JOB_ID)).toEqual([
      { ...common, ...aCheckpoint(), ...STARTED, ordinal: 1 },
      { ...common, ...aCheckpoint(after), ...SEGMENTS, ordinal: 2 },
      { ...common, ...aCheckpoint({ ...after, checkpointMs: 3_000 }), type: 'canceled', ordinal: 3 },
    ]);
    for (const { at } of nats.eventsOf(JOB_ID)) {
      expect(at).toBeGreaterThanOrEqual(before);
      expect(at).toBeLessThanOrEqual(Date.now());
    }
    expect(nats.stored.map(({ messageId }) => messageId)).toEqual(
      [1, 2, 3].map((ordinal) => `${JOB_ID}:run-a:${ordinal}`),
    );
    expect(events.checkpoint).toEqual(aCheckpoint({ ...after, checkpointMs: 3_000 }));
  });

  it('begin behind the end of the chain that the run was planned on', async () => {
    const { nats, events } = aPublisher({
      plan: { attempt: 2, lostRuns: 1, checkpoint: aCheckpoint(), expectedSequence: 1 },
    });
    nats.store(subject, aStartedEvent({ runId: 'run-before' }));
    await events.publish(STARTED);

    expect(nats.eventsOf(JOB_ID).map(({ runId }) => runId)).toEqual(['run-before', 'run-a']);
  });

  it('are sent one after the other, also when they come at the same time', async () => {
    const { nats, events } = aPublisher();
    await Promise.all([
      events.publish(STARTED),
      events.publish({ type: 'released' }),
      events.publish({ type: 'canceled' }),
    ]);

    expect(nats.eventsOf(JOB_ID).map(({ type }) => type)).toEqual(['started', 'released', 'canceled']);
  });

  it('are sent again, as the same event, while requests or answers are lost', async () => {
    const { nats, events, messages } = aPublisher();
    const fates = ['lost', 'unanswered', 'lost', 'answered', 'answered'] as const;
    nats.fateOf = () => fates[nats.requests.length - 1] ?? 'answered';
    await events.publish(STARTED);
    await events.publish({ type: 'canceled' });

    expect(nats.stored.map(({ messageId }) => messageId)).toEqual([`${JOB_ID}:run-a:1`, `${JOB_ID}:run-a:2`]);
    expect(nats.requests).toHaveLength(5);
    expect(messages).toEqual(Array(3).fill('event not stored yet; sending it again'));
  });

  it('confirm the connection as of the time when the answered one was sent', async () => {
    const { nats, events, confirmed } = aPublisher();
    nats.fateOf = () => {
      vi.advanceTimersByTime(100);
      return nats.requests.length === 1 ? 'lost' : 'answered';
    };
    await events.publish(STARTED);
    await events.publish({ type: 'canceled' });

    expect(confirmed).toEqual([100, 200]);
  });
});

describe('a run that lost its job', () => {
  it('publishes nothing more once another run extended the chain', async () => {
    const { nats, events, confirmed } = aPublisher();
    await events.publish(STARTED);
    nats.store(subject, aStartedEvent({ attempt: 3, runId: 'run-b' }), `${JOB_ID}:run-b:1`);
    const lost = events.publish({ type: 'released' });
    const later = events.publish({ type: 'canceled' });

    await expect(lost).rejects.toThrow(ChainLostError);
    await expect(lost).rejects.toThrow('since event 1');
    const { length } = nats.requests;
    await expect(later).rejects.toBe(await lost.catch((error: unknown) => error));
    expect(nats.requests).toHaveLength(length);
    expect(nats.eventsOf(JOB_ID).map(({ runId }) => runId)).toEqual(['run-a', 'run-b']);
    // A refusal is an answer too.
    expect(confirmed).toHaveLength(2);
  });

  it('stops at once when it is fenced in the middle of a publication', async () => {
    const { nats, fence, events } = aPublisher();
    nats.fateOf = () => 'lost';
    const reason = new FencedError('no answer');
    const publishing = events.publish(STARTED);
    await vi.waitFor(() => expect(nats.requests.length).toBeGreaterThan(1), { interval: 1 });
    fence.abort(reason);

    await expect(publishing).rejects.toBe(reason);
    await expect(events.publish({ type: 'canceled' })).rejects.toBe(reason);
    expect(nats.stored).toEqual([]);
  });

  it('ends when an event cannot be stored for as long as a fence takes, and names the cause', async () => {
    const { nats, events, messages } = aPublisher();
    nats.fateOf = () => {
      vi.advanceTimersByTime(500);
      return 'lost';
    };
    const error = await events.publish(STARTED).catch((caught: unknown) => caught);

    expect(error).toBeInstanceOf(FencedError);
    expect(error).toMatchObject({ message: 'an event could not be stored', cause: { message: 'timeout' } });
    expect(nats.requests).toHaveLength(4);
    expect(messages).toHaveLength(3);
  });

  it('counts that time from the start of each event', async () => {
    const { nats, events } = aPublisher();
    let fate = 0;
    nats.fateOf = () => {
      vi.advanceTimersByTime(900);
      fate += 1;
      return fate % 2 === 1 ? 'lost' : 'answered';
    };
    await events.publish(STARTED);
    await events.publish({ type: 'released' });
    await events.publish({ type: 'canceled' });

    expect(nats.stored).toHaveLength(3);
  });
});

it('an event that is too large is not sent again', async () => {
  const { nats, events } = aPublisher();
  const tooLarge = { ...STARTED, model: 'x'.repeat(MAX_MESSAGE_BYTES) };

  await expect(events.publish(tooLarge)).rejects.toThrow(CodecError);
  expect(nats.requests).toEqual([]);
});
