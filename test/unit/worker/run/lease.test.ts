import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { controlSubject, eventSubject } from '../../../../src/contract/subjects.ts';
import type { Delivery } from '../../../../src/messaging/pull-task.ts';
import { ChainLostError, FencedError } from '../../../../worker/run/event-publisher.ts';
import { Lease } from '../../../../worker/run/lease.ts';
import { WORKER_TIMING } from '../../../../worker/timing.ts';
import { anEndingEvent, aStartedEvent, aTask, JOB_ID } from '../../../support/builders.ts';
import { FakeNats } from '../../../support/fake-nats.ts';
import { logLines } from '../../../support/log-lines.ts';

const { heartbeatMs, fenceMs } = WORKER_TIMING;
const CANCEL = { v: 2, jobId: JOB_ID, action: 'cancel', at: 1, reason: null };

function aLease(heartbeat: (timeoutMs: number) => Promise<boolean> = async () => true) {
  const nats = new FakeNats();
  nats.store(eventSubject(JOB_ID), aStartedEvent());
  const beats: { readonly at: number; readonly timeoutMs: number | undefined }[] = [];
  const delivery: Delivery = {
    task: aTask(),
    sequence: 1,
    deliveredCount: 1,
    ack: async () => true,
    nak: async () => undefined,
    heartbeat: (timeoutMs = 0) => {
      beats.push({ at: performance.now(), timeoutMs });
      return heartbeat(timeoutMs);
    },
  };
  const fence = new AbortController();
  const cancels: number[] = [];
  const { log, messages } = logLines();
  const lease = new Lease({
    ...{ nc: nats.nc, delivery, runId: 'run-a', fence, timing: WORKER_TIMING, log },
    onCancel: () => cancels.push(performance.now()),
  });
  return { nats, lease, fence, beats, cancels, messages };
}

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a lease', () => {
  it('keeps the task by a heartbeat every 10 s while NATS answers', async () => {
    const { lease, fence, beats } = aLease();
    lease.start();
    await vi.advanceTimersByTimeAsync(5 * heartbeatMs);

    expect(beats).toEqual(
      [1, 2, 3, 4, 5].map((beat) => ({ at: beat * heartbeatMs, timeoutMs: heartbeatMs })),
    );
    expect(fence.signal.aborted).toBe(false);
    lease.stop();
  });

  it('fences the run 30 s after the last heartbeat that was answered, counted from its sending', async () => {
    let isAnswered = true;
    const { lease, fence } = aLease(async () => isAnswered);
    lease.start();
    await vi.advanceTimersByTimeAsync(heartbeatMs);
    isAnswered = false;
    await vi.advanceTimersByTimeAsync(fenceMs - 1);
    expect(fence.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);

    expect(fence.signal.reason).toBeInstanceOf(FencedError);
    expect(fence.signal.reason).toMatchObject({ message: 'no answer of NATS for 30 s' });
    lease.stop();
  });

  it('counts from the sending of an event that was answered, and never back', async () => {
    const { lease, fence } = aLease(async () => false);
    lease.start();
    await vi.advanceTimersByTimeAsync(20_000);
    lease.confirm(15_000);
    lease.confirm(5_000);
    await vi.advanceTimersByTimeAsync(24_000);
    expect(fence.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);

    expect(fence.signal.reason).toBeInstanceOf(FencedError);
    lease.stop();
  });

  it('goes by the monotonic clock, whatever the wall clock does', async () => {
    const { lease, fence } = aLease();
    lease.start();
    await vi.advanceTimersByTimeAsync(heartbeatMs);
    vi.setSystemTime(new Date('2040-01-01'));
    await vi.advanceTimersByTimeAsync(heartbeatMs + 5_000);

    expect(fence.signal.aborted).toBe(false);
    lease.stop();
  });

  it('sends no heartbeat for a run that is fenced', async () => {
    const { lease, fence, beats } = aLease();
    lease.start();
    fence.abort(new FencedError('x'));
    await vi.advanceTimersByTimeAsync(3 * heartbeatMs);

    expect(beats).toEqual([]);
    lease.stop();
  });

  it('does nothing more once it is stopped, and nothing before it starts', async () => {
    const { lease, fence, beats, nats } = aLease(async () => false);
    await vi.advanceTimersByTimeAsync(2 * fenceMs);
    lease.start();
    lease.stop();
    await vi.advanceTimersByTimeAsync(2 * fenceMs);

    expect(beats).toEqual([]);
    expect(nats.requests).toEqual([]);
    expect(fence.signal.aborted).toBe(false);
  });
});

describe('at a heartbeat, a run', () => {
  it('goes on while the chain ends in its own event', async () => {
    const { lease, fence, nats } = aLease();
    lease.start();
    nats.store(eventSubject(JOB_ID), aStartedEvent({ ordinal: 2 }));
    await vi.advanceTimersByTimeAsync(heartbeatMs);

    expect(fence.signal.aborted).toBe(false);
    lease.stop();
  });

  it.each([
    {
      end: 'of another run',
      message: anEndingEvent('lost', { runId: 'server-1' }),
      reason: 'another run (lost)',
    },
    { end: 'that cannot be read', message: { v: 99 }, reason: 'another run (unreadable)' },
  ])(
    'is fenced when the chain ends in an event $end, although JetStream confirms',
    async ({ message, reason }) => {
      const { lease, fence, nats } = aLease();
      lease.start();
      nats.store(eventSubject(JOB_ID), message);
      await vi.advanceTimersByTimeAsync(heartbeatMs);

      expect(fence.signal.reason).toBeInstanceOf(ChainLostError);
      expect(fence.signal.reason.message).toContain(reason);
      lease.stop();
    },
  );

  it('learns of a stored cancel', async () => {
    const { lease, nats, cancels } = aLease();
    lease.start();
    await vi.advanceTimersByTimeAsync(heartbeatMs);
    expect(cancels).toEqual([]);
    nats.store(controlSubject(JOB_ID), CANCEL);
    await vi.advanceTimersByTimeAsync(heartbeatMs);

    expect(cancels).toEqual([2 * heartbeatMs]);
    lease.stop();
  });

  it('goes on while the job has no events', async () => {
    const { lease, fence, nats } = aLease();
    nats.stored.length = 0;
    lease.start();
    await vi.advanceTimersByTimeAsync(heartbeatMs);

    expect(fence.signal.aborted).toBe(false);
    lease.stop();
  });

  it('goes on when chain and control cannot be read just then', async () => {
    const { lease, fence, nats, messages } = aLease();
    nats.fateOf = () => 'lost';
    lease.start();
    await vi.advanceTimersByTimeAsync(4 * heartbeatMs);

    expect(fence.signal.aborted).toBe(false);
    expect(new Set(messages)).toEqual(
      new Set([
        'the chain could not be read at a heartbeat',
        'the control message could not be read at a heartbeat',
      ]),
    );
    lease.stop();
  });
});
