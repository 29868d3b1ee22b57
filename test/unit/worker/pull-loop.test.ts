import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { encode } from '../../../src/contract/codec.ts';
import { wakeSubject } from '../../../src/contract/subjects.ts';
import type { Delivery } from '../../../src/messaging/pull-task.ts';
import { PullLoop, type PullLoopOptions } from '../../../worker/pull-loop.ts';
import { WORKER_TIMING } from '../../../worker/timing.ts';
import { aTask } from '../../support/builders.ts';
import { FakeNats } from '../../support/fake-nats.ts';
import { logLines } from '../../support/log-lines.ts';

interface Started {
  readonly delivery: Delivery;
  end(): void;
}

/** A loop that pulls until the test is over, and whose runs end when the test says so. */
function aLoop(change: Partial<PullLoopOptions> = {}, prepare: (nats: FakeNats) => void = () => undefined) {
  const nats = new FakeNats();
  prepare(nats);
  const started: Started[] = [];
  const { log, messages } = logLines();
  let changes = 0;
  const loop = new PullLoop({
    ...{ nc: nats.nc, log, queue: 'whisper', slots: 1, isAvailable: () => true },
    timing: { ...WORKER_TIMING, idleMs: 60_000 },
    run: (delivery) => new Promise((resolve) => started.push({ delivery, end: resolve })),
    onChange: () => {
      changes += 1;
    },
    ...change,
  });
  const stop = new AbortController();
  const pulling = loop.pull(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await pulling;
  });
  const pulls = () =>
    nats.published.flatMap(({ subject }) => /MSG\.NEXT\.TASKS\.lane_whisper_(\w+)$/.exec(subject)?.[1] ?? []);
  return { nats, loop, stop, pulling, started, messages, pulls, changes: () => changes };
}

const LANES = ['critical', 'high', 'normal', 'low'];
/** Gives these tasks, one a pull, in the lane. */
const inLane = (lane: string, ...tasks: Uint8Array[]) => {
  return (nats: FakeNats) => {
    nats.onPull = (from) => (from === `lane_whisper_${lane}` ? (tasks.shift() ?? 'empty') : 'empty');
  };
};
const wake = (nats: FakeNats, priority: 'LOW' | 'NORMAL') =>
  nats.deliver(wakeSubject('whisper', priority), new Uint8Array());

afterEach(() => {
  vi.useRealTimers();
});

describe('the pull loop', () => {
  it('looks through all lanes once, and then waits to be woken', async () => {
    const { nats, pulls } = aLoop();
    await vi.waitFor(() => expect(pulls()).toEqual(LANES));
    wake(nats, 'LOW');
    await vi.waitFor(() => expect(pulls()).toEqual([...LANES, 'low', 'critical', 'high', 'normal']));
  });

  it('looks again by itself after the idle time', async () => {
    const { pulls } = aLoop({ timing: { ...WORKER_TIMING, idleMs: 10 } });
    await vi.waitFor(() => expect(pulls().length).toBeGreaterThan(3 * LANES.length));
  });

  it('takes as many tasks as it has slots, and the next when a run ends', async () => {
    const tasks = [1, 2, 3].map((attempt) => encode(aTask({ attempt })));
    const { loop, started, pulls, changes } = aLoop({ slots: 2 }, inLane('normal', ...tasks));
    await vi.waitFor(() => expect(started).toHaveLength(2));
    expect(loop.busy).toBe(2);
    expect(changes()).toBe(2);
    const before = pulls().length;
    started[0]?.end();
    await vi.waitFor(() => expect(started).toHaveLength(3));

    expect(started.map(({ delivery }) => delivery.task.attempt)).toEqual([1, 2, 3]);
    expect(pulls().length).toBeGreaterThan(before);
    expect(loop.busy).toBe(2);
    expect(changes()).toBe(4);
    for (const { end } of started) end();
    await loop.idle();
    expect(loop.busy).toBe(0);
  });

  it('hands over the place of the task and how often it was delivered', async () => {
    const { started } = aLoop({}, inLane('high', encode(aTask())));
    await vi.waitFor(() => expect(started).toHaveLength(1));

    expect(started[0]?.delivery).toMatchObject({ task: aTask(), sequence: 7, deliveredCount: 1 });
  });

  it('pulls nothing while the engine is not available', async () => {
    let isAvailable = false;
    const { nats, pulls } = aLoop({ isAvailable: () => isAvailable });
    wake(nats, 'NORMAL');
    await delay(20);
    expect(pulls()).toEqual([]);
    isAvailable = true;
    wake(nats, 'NORMAL');
    await vi.waitFor(() => expect(pulls().length).toBeGreaterThan(0));
  });

  it('pulls nothing without a connection', async () => {
    const { pulls, nats } = aLoop({}, (fake) => {
      fake.isClosed = true;
    });
    wake(nats, 'NORMAL');
    await delay(20);

    expect(pulls()).toEqual([]);
  });

  it('a busy worker keeps the order of urgency when it is woken', async () => {
    const { nats, started, pulls } = aLoop({ slots: 2 }, inLane('critical', encode(aTask())));
    await vi.waitFor(() => expect(started).toHaveLength(1));
    await vi.waitFor(() => expect(pulls()).toEqual(['critical', ...LANES]));
    wake(nats, 'LOW');

    await vi.waitFor(() => expect(pulls()).toEqual(['critical', ...LANES, ...LANES]));
  });

  it('gives back a task that arrives while the worker stops', async () => {
    const { nats, started, stop, pulling, pulls } = aLoop();
    await vi.waitFor(() => expect(pulls()).toEqual(LANES));
    nats.onPull = () => {
      stop.abort();
      return encode(aTask());
    };
    wake(nats, 'NORMAL');
    await pulling;

    expect(started).toEqual([]);
    expect(nats.acknowledgements).toEqual(['-NAK']);
    expect(nats.published.at(-1)).toEqual({ subject: wakeSubject('whisper', 'NORMAL'), text: '' });
    expect(nats.subscriptions).toBe(0);
  });

  it('takes a task that it cannot read off its lane, and goes on', async () => {
    const { nats, started, messages } = aLoop(
      { timing: { ...WORKER_TIMING, idleMs: 5 } },
      inLane('normal', encode({ v: 99 }), encode(aTask())),
    );
    await vi.waitFor(() => expect(started).toHaveLength(1));

    expect(nats.published).toContainEqual({
      subject: '$JS.ACK.TASKS.lane_whisper_normal.1.7.1.0.0',
      text: '+TERM',
    });
    expect(messages).toContain('a task that this version cannot read was taken off its lane');
  });

  it('tries again after an unexpected error', async () => {
    const quick = { timing: { ...WORKER_TIMING, idleMs: 1 } };
    const { nats, messages, started } = aLoop(quick, (fake) => {
      fake.onPull = () => {
        throw new RangeError('unexpected');
      };
    });
    await vi.waitFor(() => expect(messages).toEqual(['pulling a task failed']));
    inLane('normal', encode(aTask()))(nats);
    await vi.waitFor(() => expect(started).toHaveLength(1), { timeout: 5_000 });
  });

  it('does not complain about pulls that fail because the connection closes', async () => {
    const { messages, nats } = aLoop({ timing: { ...WORKER_TIMING, idleMs: 1 } }, (fake) => {
      fake.onPull = () => {
        fake.isClosed = true;
        throw new RangeError('closed');
      };
    });
    await vi.waitFor(() => expect(nats.isClosed).toBe(true));
    await delay(20);

    expect(messages).toEqual([]);
  });
});

describe('pulls that get no answer', () => {
  /** Times out after a moment instead of a second. */
  function impatient(): void {
    vi.useFakeTimers({ toFake: ['performance'], now: 0 });
    vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error('timeout')), 2);
      return controller.signal;
    });
    onTestFinished(() => void vi.restoreAllMocks());
  }
  const silent = (nats: FakeNats) => {
    nats.onPull = () => 'silent';
  };
  const quick = { timing: { ...WORKER_TIMING, idleMs: 1 } };
  const reconnects = (nats: FakeNats) => nats.requests.filter((request) => request === 'reconnect').length;

  it('are logged once, until one gets an answer', async () => {
    impatient();
    const { nats, pulls, messages } = aLoop(quick, silent);
    await vi.waitFor(() => expect(pulls().length).toBeGreaterThan(5));
    expect(messages).toEqual(['pulling a task failed']);
    nats.onPull = () => 'empty';
    const { length } = pulls();
    await vi.waitFor(() => expect(pulls().length).toBeGreaterThan(length + 5));
    silent(nats);

    await vi.waitFor(() => expect(messages).toHaveLength(2));
  });

  it('make the worker reconnect after a minute, and again after another', async () => {
    impatient();
    const { nats, pulls } = aLoop(quick, silent);
    await vi.waitFor(() => expect(pulls().length).toBeGreaterThan(2));
    vi.advanceTimersByTime(59_000);
    const { length } = pulls();
    await vi.waitFor(() => expect(pulls().length).toBeGreaterThan(length + 2));
    expect(reconnects(nats)).toBe(0);
    vi.advanceTimersByTime(1_000);
    await vi.waitFor(() => expect(reconnects(nats)).toBe(1));
    vi.advanceTimersByTime(59_000);
    const later = pulls().length;
    await vi.waitFor(() => expect(pulls().length).toBeGreaterThan(later + 2));
    expect(reconnects(nats)).toBe(1);
    vi.advanceTimersByTime(1_000);
    await vi.waitFor(() => expect(reconnects(nats)).toBe(2));
  });

  it('that are answered late give their task back', async () => {
    impatient();
    let inbox = '';
    const { nats, messages } = aLoop({}, silent);
    await vi.waitFor(() => expect(messages).toHaveLength(1));
    inbox = nats.inboxes.at(-1) ?? '';
    nats.deliver(inbox, encode(aTask()), { reply: '$JS.ACK.TASKS.lane_whisper_critical.1.7.1.0.0' });

    await vi.waitFor(() =>
      expect(nats.published.at(-1)).toEqual({
        subject: '$JS.ACK.TASKS.lane_whisper_critical.1.7.1.0.0',
        text: '-NAK',
      }),
    );
  });
});
