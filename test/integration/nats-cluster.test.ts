import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { appendEvent } from '../../src/messaging/chain.ts';
import { connectToNats, type NatsConnection } from '../../src/messaging/connection.ts';
import { readEvents } from '../../src/messaging/event-reader.ts';
import { ensureLanes, ensureStreams } from '../../src/messaging/streams.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { aStartedEvent } from '../support/builders.ts';
import { type NatsCluster, startNatsCluster } from '../support/nats-cluster.ts';

const log = createLogger('test', process.env.LOG_LEVEL ?? 'warn');
let cluster: NatsCluster;
let nc: NatsConnection;

beforeAll(async () => {
  cluster = await startNatsCluster();
  nc = await connectToNats({ url: cluster.url, name: 'test', log });
  // The nodes are ready before they have chosen the leader that makes streams; the server tries again, too.
  await vi.waitFor(() => ensureStreams(nc, log, { replicas: 3 }), { timeout: 60_000, interval: 250 });
  await ensureLanes(nc, 'whisper', { concurrency: 10 });
}, 120_000);
afterAll(async () => {
  await nc?.close();
  await cluster?.dispose();
});

test('streams on disk have three replicas, which a server that asks for one does not take away', async () => {
  await ensureStreams(nc, log);

  const manager = await jetstreamManager(nc);
  const replicas = await Promise.all(
    ['TASKS', 'EVENTS', 'CONTROL', 'PROGRESS'].map(
      async (name) => (await manager.streams.info(name)).config.num_replicas,
    ),
  );
  expect(replicas).toEqual([3, 3, 3, 1]);
});

test('exactly one of three concurrent writers extends a chain', async () => {
  for (let race = 0; race < 50; race += 1) {
    const jobId = `job_race${race}`;
    const appended = await Promise.all(
      ['a', 'b', 'c'].map((runId) => appendEvent(nc, aStartedEvent({ jobId, runId }), 0)),
    );

    expect(appended.filter(({ accepted }) => accepted)).toHaveLength(1);
  }
});

test('a chain goes on while its nodes are killed and frozen one at a time, and nothing of it is lost', async () => {
  const jobId = 'job_outages';
  let sequence = 0;
  const append = async (runId: string): Promise<void> => {
    const appended = await vi.waitFor(() => appendEvent(nc, aStartedEvent({ jobId, runId }), sequence), {
      timeout: 60_000,
      interval: 250,
    });
    if (!appended.accepted) throw new Error(`run ${runId} was refused after sequence ${sequence}`);
    sequence = appended.sequence;
  };
  const runIds: string[] = [];
  const appendSome = async (phase: string): Promise<void> => {
    for (let number = 0; number < 5; number += 1) {
      runIds.push(`${phase}${number}`);
      await append(`${phase}${number}`);
    }
  };

  for (const node of cluster.nodes) {
    await appendSome(`before-${node.name}-`);
    await node.kill();
    await appendSome(`without-${node.name}-`);
    await node.start();
    await appendSome(`with-${node.name}-`);
    node.freeze();
    await appendSome(`frozen-${node.name}-`);
    node.thaw();
  }

  const stored: string[] = [];
  const reading = new AbortController();
  for await (const { jobId: of, event, sequence: at } of readEvents(nc, {
    fromSequence: 1,
    signal: reading.signal,
  })) {
    if (of === jobId && event !== null) stored.push(event.runId);
    if (at === sequence) reading.abort();
  }
  expect(stored).toEqual(runIds);
}, 180_000);
