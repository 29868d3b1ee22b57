import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker } from '../../src/app/ports.ts';
import { createNatsBroker } from '../../src/messaging/broker.ts';
import { NatsSession } from '../../src/messaging/session.ts';
import type { FactMessage } from '../../src/contract/messages.ts';
import { appendFact, readLastFact } from '../../src/messaging/chain.ts';
import { ensureStreams } from '../../src/messaging/streams.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { aCompletedFact, aFailedFact, aFailure, anEndingFact, aStartedFact } from '../support/builders.ts';
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
    limits: { maxAudioBytes: 1, maxAudioMs: 1, attemptTimeoutMs: 1, maxLostAttempts: 3 },
  });
});
afterAll(async () => {
  await session?.close();
  await running;
  await nats?.dispose();
});

/** A chain of these facts; gives its job and the sequence of its end. */
async function chain(...facts: readonly FactMessage[]): Promise<{ jobId: string; end: number }> {
  const jobId = `job_${randomUUID().replaceAll('-', '')}`;
  let end = 0;
  for (const fact of facts) {
    const appended = await appendFact(session.connection, { ...fact, jobId }, end);
    if (appended.accepted) end = appended.sequence;
  }
  return { jobId, end };
}

const ATTEMPT_2 = { attempt: 2, ordinal: 1 } as const;
const started = aStartedFact(ATTEMPT_2);
const ends = (type: 'completed' | 'failed' | 'released'): FactMessage => {
  const place = { attempt: 2, ordinal: 2 };
  if (type === 'completed') return aCompletedFact(place);
  return type === 'failed' ? aFailedFact(aFailure(), place) : anEndingFact('released', place);
};

describe('the attempt that a new order names', () => {
  it('is the next one of the rows while nothing is on the chain', async () => {
    const { jobId } = await chain();
    expect(await broker.attemptToOrder(jobId, { nextAttempt: 3, appliedSequence: 0 })).toBe(3);
  });

  it('is the one that runs, so that the order is void when that one ends', async () => {
    const { jobId } = await chain(started);
    expect(await broker.attemptToOrder(jobId, { nextAttempt: 3, appliedSequence: 0 })).toBe(2);
  });

  it('is the next one of the rows where the chain lost its end', async () => {
    const { jobId } = await chain(started);
    expect(await broker.attemptToOrder(jobId, { nextAttempt: 6, appliedSequence: 0 })).toBe(6);
  });

  it.each(['completed', 'failed', 'released'] as const)(
    'is none while the rows do not know of the end (%s), and the chain stays as it is',
    async (type) => {
      const { jobId, end } = await chain(started, ends(type));
      const rows = { nextAttempt: 3, appliedSequence: end - 1 };

      expect(await broker.attemptToOrder(jobId, rows)).toBeNull();
      expect((await readLastFact(session.connection, jobId))?.sequence).toBe(end);
    },
  );

  it.each(['failed', 'released'] as const)('follows on an end that the rows know (%s)', async (type) => {
    const { jobId, end } = await chain(started, ends(type));
    expect(await broker.attemptToOrder(jobId, { nextAttempt: 1, appliedSequence: end })).toBe(3);
  });

  it('follows on an outcome that the rows know and refused, behind a fact that opens the chain again', async () => {
    const { jobId, end } = await chain(started, ends('completed'));
    expect(await broker.attemptToOrder(jobId, { nextAttempt: 3, appliedSequence: end })).toBe(4);
    expect((await readLastFact(session.connection, jobId))?.fact).toMatchObject({
      type: 'released',
      attempt: 3,
    });
  });
});
