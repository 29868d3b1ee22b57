import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventMessage } from '../../src/contract/messages.ts';
import { eventSubject } from '../../src/contract/subjects.ts';
import { type Broker, createNatsBroker } from '../../src/messaging/broker.ts';
import { appendEvent, readChainEnd } from '../../src/messaging/chain.ts';
import { NatsSession } from '../../src/messaging/session.ts';
import { ensureStreams } from '../../src/messaging/streams.ts';
import { createLogger } from '../../src/observability/logger.ts';
import {
  aCompletedEvent,
  aFailedEvent,
  aFailure,
  anEndingEvent,
  aStartedEvent,
} from '../support/builders.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { eventually } from '../support/worker-rig.ts';

const log = createLogger('test', 'silent');
let nats: TestNats;
let session: NatsSession;
let broker: Broker;
let running: Promise<void>;
beforeAll(async () => {
  nats = await startTestNats();
  session = new NatsSession({ url: nats.url, credentialsFile: undefined, name: 'test', log });
  running = session.run();
  await eventually(() => session.connected, 'it is connected');
  await ensureStreams(session.connection, log);
  broker = createNatsBroker({
    session,
    now: () => new Date(),
    contentUrl: (id) => id,
    limits: { maxAudioBytes: 1, maxAudioMs: 1, runTimeoutMs: 1, maxLostRuns: 3 },
  });
});
afterAll(async () => {
  await session?.close();
  await running;
  await nats?.dispose();
});

/** Publishes a chain of these events; returns its job and the sequence of its end. */
async function chain(...events: readonly EventMessage[]): Promise<{ jobId: string; end: number }> {
  const jobId = `job_${randomUUID().replaceAll('-', '')}`;
  let end = 0;
  for (const event of events) {
    const appended = await appendEvent(session.connection, { ...event, jobId }, end);
    if (appended.accepted) end = appended.sequence;
  }
  return { jobId, end };
}

const ATTEMPT_2 = { attempt: 2, ordinal: 1 } as const;
const started = aStartedEvent(ATTEMPT_2);
const ends = (type: 'completed' | 'failed' | 'released'): EventMessage => {
  const place = { attempt: 2, ordinal: 2 };
  if (type === 'completed') return aCompletedEvent(place);
  return type === 'failed' ? aFailedEvent(aFailure(), place) : anEndingEvent('released', place);
};

describe('a chain that ends in something that no one can read', () => {
  async function brokenChain(): Promise<{ jobId: string; end: number }> {
    const { jobId } = await chain(started);
    session.connection.publish(eventSubject(jobId), '{"v":99}');
    await session.connection.flush();
    const end = await readChainEnd(session.connection, jobId);
    expect(end?.event).toBeNull();
    return { jobId, end: end?.sequence ?? 0 };
  }

  it('is ended by a failure of the next attempt that may be retried, in place of a lost run', async () => {
    const { jobId } = await brokenChain();
    const ended = await broker.endRun(jobId, { type: 'lost' }, 2);

    expect(ended).toMatchObject({
      ended: true,
      event: {
        type: 'failed',
        attempt: 3,
        ordinal: 1,
        failure: { code: 'CHAIN_UNREADABLE', retryable: true },
      },
    });
    expect((await readChainEnd(session.connection, jobId))?.event).toEqual(ended.ended && ended.event);
  });

  it.each([{ type: 'canceled' }, { type: 'failed', failure: aFailure() }] as const)(
    'is ended as asked otherwise ($type)',
    async (end) => {
      const { jobId } = await brokenChain();

      expect(await broker.endRun(jobId, end, 2)).toMatchObject({
        ended: true,
        event: { ...end, attempt: 3 },
      });
    },
  );

  it('gets no task, and gets that failure once the rows are past its end', async () => {
    const { jobId, end } = await brokenChain();

    expect(await broker.attemptForTask(jobId, { nextAttempt: 3, appliedSequence: end - 1 })).toBeNull();
    expect((await readChainEnd(session.connection, jobId))?.sequence).toBe(end);
    expect(await broker.attemptForTask(jobId, { nextAttempt: 3, appliedSequence: end })).toBeNull();
    expect((await readChainEnd(session.connection, jobId))?.event).toMatchObject({
      type: 'failed',
      attempt: 3,
      failure: { code: 'CHAIN_UNREADABLE' },
    });
  });
});

describe('the run id of a server’s event', () => {
  it('is random, so that two servers in one millisecond differ', async () => {
    const { jobId } = await chain();
    const other = await chain();
    const ids = await Promise.all(
      [jobId, other.jobId].map(async (id) => {
        const ended = await broker.endRun(id, { type: 'canceled' }, 0);
        return ended.ended ? ended.event.runId : '';
      }),
    );

    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^server-[0-9a-f-]{36}$/);
  });
});

describe('the attempt that a new task names', () => {
  it('is the next one of the rows while nothing is on the chain', async () => {
    const { jobId } = await chain();
    expect(await broker.attemptForTask(jobId, { nextAttempt: 3, appliedSequence: 0 })).toBe(3);
  });

  it('is the running one, so that the task is void when that run ends', async () => {
    const { jobId } = await chain(started);
    expect(await broker.attemptForTask(jobId, { nextAttempt: 3, appliedSequence: 0 })).toBe(2);
  });

  it('is the next one of the rows where the chain lost its end', async () => {
    const { jobId } = await chain(started);
    expect(await broker.attemptForTask(jobId, { nextAttempt: 6, appliedSequence: 0 })).toBe(6);
  });

  it.each(['completed', 'failed', 'released'] as const)(
    'is none while the rows lack the end (%s), and the chain stays as it is',
    async (type) => {
      const { jobId, end } = await chain(started, ends(type));
      const rows = { nextAttempt: 3, appliedSequence: end - 1 };

      expect(await broker.attemptForTask(jobId, rows)).toBeNull();
      expect((await readChainEnd(session.connection, jobId))?.sequence).toBe(end);
    },
  );

  it.each(['failed', 'released'] as const)(
    'is the next after an end that the rows have (%s)',
    async (type) => {
      const { jobId, end } = await chain(started, ends(type));
      expect(await broker.attemptForTask(jobId, { nextAttempt: 1, appliedSequence: end })).toBe(3);
    },
  );

  it('is the next after an outcome that the rows refused, behind an event that opens the chain again', async () => {
    const { jobId, end } = await chain(started, ends('completed'));
    expect(await broker.attemptForTask(jobId, { nextAttempt: 3, appliedSequence: end })).toBe(4);
    expect((await readChainEnd(session.connection, jobId))?.event).toMatchObject({
      type: 'released',
      attempt: 3,
    });
  });
});
