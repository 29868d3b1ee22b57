import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventMessage } from '../../src/contract/messages.ts';
import { type Broker, createNatsBroker } from '../../src/messaging/broker.ts';
import { appendEvent, readLastEvent } from '../../src/messaging/chain.ts';
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
    limits: { maxAudioBytes: 1, maxAudioMs: 1, attemptTimeoutMs: 1, maxLostRuns: 3 },
  });
});
afterAll(async () => {
  await session?.close();
  await running;
  await nats?.dispose();
});

/** A chain of these events; gives its job and the sequence of its end. */
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

describe('the attempt that a new task names', () => {
  it('is the next one of the rows while nothing is on the chain', async () => {
    const { jobId } = await chain();
    expect(await broker.attemptForTask(jobId, { nextAttempt: 3, appliedSequence: 0 })).toBe(3);
  });

  it('is the one that runs, so that the task is void when that one ends', async () => {
    const { jobId } = await chain(started);
    expect(await broker.attemptForTask(jobId, { nextAttempt: 3, appliedSequence: 0 })).toBe(2);
  });

  it('is the next one of the rows where the chain lost its end', async () => {
    const { jobId } = await chain(started);
    expect(await broker.attemptForTask(jobId, { nextAttempt: 6, appliedSequence: 0 })).toBe(6);
  });

  it.each(['completed', 'failed', 'released'] as const)(
    'is none while the rows do not know of the end (%s), and the chain stays as it is',
    async (type) => {
      const { jobId, end } = await chain(started, ends(type));
      const rows = { nextAttempt: 3, appliedSequence: end - 1 };

      expect(await broker.attemptForTask(jobId, rows)).toBeNull();
      expect((await readLastEvent(session.connection, jobId))?.sequence).toBe(end);
    },
  );

  it.each(['failed', 'released'] as const)('follows on an end that the rows know (%s)', async (type) => {
    const { jobId, end } = await chain(started, ends(type));
    expect(await broker.attemptForTask(jobId, { nextAttempt: 1, appliedSequence: end })).toBe(3);
  });

  it('follows on an outcome that the rows know and refused, behind an event that opens the chain again', async () => {
    const { jobId, end } = await chain(started, ends('completed'));
    expect(await broker.attemptForTask(jobId, { nextAttempt: 3, appliedSequence: end })).toBe(4);
    expect((await readLastEvent(session.connection, jobId))?.event).toMatchObject({
      type: 'released',
      attempt: 3,
    });
  });
});
