import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROTOCOL_VERSION, type WorkerAnnouncement } from '../../src/contract/messages.ts';
import { publishCancel } from '../../src/messaging/control.ts';
import { appendFact } from '../../src/messaging/chain.ts';
import { subscribeLive } from '../../src/messaging/live.ts';
import { publishOrder } from '../../src/messaging/tasks.ts';
import { aCheckpoint, aStartedFact } from '../support/builders.ts';
import { scriptOf } from '../support/scripted-engine.mjs';
import {
  ends,
  eventually,
  segmentsOf,
  startWorkerRig,
  typesOf,
  type WorkerRig,
} from '../support/worker-rig.ts';

let rig: WorkerRig;
beforeAll(async () => {
  rig = await startWorkerRig();
});
afterAll(() => rig.stop());

const cancel = (jobId: string) =>
  publishCancel(rig.nc, { v: PROTOCOL_VERSION, jobId, action: 'cancel', at: Date.now(), reason: null });

test('an order becomes a chain of facts from started to completed, with every segment of the recording', async () => {
  const worker = await rig.worker();
  const order = await rig.order('plain/6/1000/20');
  const facts = await rig.factsUntil(order.jobId, ends);
  await worker.drain(1_000);

  expect(typesOf(facts)).toEqual(['started', 'audio', 'segments', 'completed']);
  expect(facts.map((fact) => fact.ordinal)).toEqual(facts.map((_, index) => index + 1));
  expect(new Set(facts.map((fact) => fact.instance)).size).toBe(1);
  const script = scriptOf(order.audio.url);
  expect(segmentsOf(facts).map((segment) => segment.text)).toEqual(script?.segments.map(({ text }) => text));
  expect(segmentsOf(facts).map((segment) => segment.index)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(facts.at(-1)).toMatchObject({
    segmentCount: 6,
    checkpointMs: 6000,
    language: 'en',
    durationMs: 6000,
  });
  await rig.laneEmpty();
});

test('a second order of a finished job is acknowledged without a second run', async () => {
  const worker = await rig.worker();
  const order = await rig.order('twice/2/1000/10');
  const before = await rig.factsUntil(order.jobId, ends);
  await publishOrder(rig.nc, { ...order, run: 2 });
  await rig.laneEmpty();
  expect(await rig.factsOf(order.jobId)).toEqual(before);
  await worker.drain(0);
});

test('a second order of a running job does not steal it', async () => {
  const workers = [await rig.worker(), await rig.worker()];
  const order = await rig.order('stolen/10/1000/200');
  await rig.factsUntil(order.jobId, (fact) => fact.type === 'segments');
  await publishOrder(rig.nc, { ...order, run: 2 });
  const facts = await rig.factsUntil(order.jobId, ends);
  expect(typesOf(facts)).toEqual(['started', 'audio', 'segments', 'completed']);
  await rig.laneEmpty();
  await Promise.all(workers.map((worker) => worker.drain(0)));
});

test('two workers with two orders of one job race for its start, and one wins', async () => {
  const workers = [await rig.worker({ slots: 4 }), await rig.worker({ slots: 4 })];
  const orders = await Promise.all(
    Array.from({ length: 6 }, async (_, index) => {
      const order = await rig.order(`race${index}/3/1000/30`);
      await publishOrder(rig.nc, { ...order, run: 2 });
      return order;
    }),
  );
  for (const order of orders) {
    const facts = await rig.factsUntil(order.jobId, ends);
    expect(facts.filter((fact) => fact.type === 'started')).toHaveLength(1);
    expect(facts.at(-1)?.type).toBe('completed');
  }
  await rig.laneEmpty();
  await Promise.all(workers.map((worker) => worker.drain(0)));
});

test('a job that was canceled before a worker had it never starts', async () => {
  const order = await rig.order('never/3/1000/10');
  await cancel(order.jobId);
  const worker = await rig.worker();
  const facts = await rig.factsUntil(order.jobId, ends);
  expect(typesOf(facts)).toEqual(['canceled']);
  await rig.laneEmpty();
  await worker.drain(0);
});

test('a running job lets go when it is canceled, and keeps what it has', async () => {
  const worker = await rig.worker();
  const order = await rig.order('canceled/1000/1000/50');
  await rig.factsUntil(order.jobId, (fact) => fact.type === 'segments');
  await cancel(order.jobId);
  const facts = await rig.factsUntil(order.jobId, ends);
  expect(facts.at(-1)?.type).toBe('canceled');
  expect(facts.at(-1)?.segmentCount).toBe(segmentsOf(facts).length);
  await rig.laneEmpty();
  await worker.drain(0);
});

test('a worker that shuts down gives its job back, and another continues it at once where it stopped', async () => {
  const first = await rig.worker();
  const order = await rig.order('released/12/1000/100');
  await rig.factsUntil(order.jobId, (fact) => fact.segmentCount >= 3);
  const second = await rig.worker();
  await first.drain(0);
  const facts = await rig.factsUntil(order.jobId, ends);
  expect(typesOf(facts)).toEqual([
    'started',
    'audio',
    'segments',
    'released',
    'started',
    'audio',
    'segments',
    'completed',
  ]);
  expect(facts.filter((fact) => fact.type === 'started').map((fact) => fact.attempt)).toEqual([1, 2]);
  expect(segmentsOf(facts).map((segment) => segment.text)).toEqual(
    scriptOf(order.audio.url)?.segments.map(({ text }) => text),
  );
  expect(facts.at(-1)?.lostAttempts).toBe(0);
  await rig.laneEmpty();
  await second.drain(0);
});

test('an engine’s failure becomes a failed fact of its kind', async () => {
  const worker = await rig.worker();
  const order = await rig.order('bad/4/1000/10?fail=RATE_LIMITED&after=2&retryAfterMs=4000');
  const facts = await rig.factsUntil(order.jobId, ends);
  expect(facts.at(-1)).toMatchObject({
    type: 'failed',
    segmentCount: 2,
    failure: { kind: 'RATE_LIMITED', code: 'SCRIPTED_RATE_LIMITED', retryable: true, retryAfterMs: 4000 },
  });
  await rig.laneEmpty();
  await worker.drain(0);
});

test('a recording without speech fails as such', async () => {
  const worker = await rig.worker();
  const order = await rig.order('silent/3/1000/10?silent=1');
  const facts = await rig.factsUntil(order.jobId, ends);
  expect(facts.at(-1)).toMatchObject({ type: 'failed', failure: { kind: 'NO_SPEECH', retryable: false } });
  await worker.drain(0);
});

test('an attempt that takes too long fails with a timeout and keeps its checkpoint', async () => {
  const worker = await rig.worker();
  const limits = { maxAudioBytes: 1e9, maxAudioMs: 1e9, attemptTimeoutMs: 700, maxLostAttempts: 3 };
  const order = await rig.order('slow/1000/1000/50', { limits });
  const facts = await rig.factsUntil(order.jobId, ends);
  expect(facts.at(-1)).toMatchObject({ type: 'failed', failure: { kind: 'TIMEOUT' } });
  expect(facts.at(-1)?.segmentCount).toBe(segmentsOf(facts).length);
  await worker.drain(0);
});

test('a job whose workers vanished three times is given up', async () => {
  const order = await rig.order('poison/3/1000/10', { priority: 'LOW' });
  const lost = aStartedFact({ jobId: order.jobId, instance: 'gone', attempt: 3, lostAttempts: 2 });
  await appendFact(rig.nc, lost, 0);
  const worker = await rig.worker();
  const facts = await rig.factsUntil(order.jobId, ends);
  expect(facts.at(-1)).toMatchObject({
    type: 'failed',
    attempt: 4,
    failure: { kind: 'WORKER_LOST', code: 'WORKER_LOST_REPEATEDLY', retryable: false },
  });
  await rig.laneEmpty('LOW');
  await worker.drain(0);
});

test('a run continues at the newer of the order’s and the chain’s checkpoint', async () => {
  const resume = aCheckpoint({ segmentCount: 2, checkpointMs: 2000 });
  const order = await rig.order('resume/4/1000/10', { attempt: 2, resume });
  const worker = await rig.worker();
  const facts = await rig.factsUntil(order.jobId, ends);
  expect(facts[0]).toMatchObject({ type: 'started', attempt: 2, segmentCount: 2, checkpointMs: 2000 });
  expect(segmentsOf(facts).map((segment) => segment.index)).toEqual([2, 3]);
  await worker.drain(0);
});

test('the most urgent lane is served first', async () => {
  const low = await rig.order('low/1/1000/10', { priority: 'LOW' });
  const high = await rig.order('high/1/1000/10', { priority: 'CRITICAL' });
  const worker = await rig.worker();
  const [lowFacts, highFacts] = await Promise.all([
    rig.factsUntil(low.jobId, ends),
    rig.factsUntil(high.jobId, ends),
  ]);
  expect(highFacts[0]?.at).toBeLessThanOrEqual(lowFacts[0]?.at ?? 0);
  await worker.drain(0);
});

test('progress never falls, ends at the whole, and announcements say what the worker does', async () => {
  const ticks: { jobId: string; processedMs: number; totalMs: number | null; stage: string }[] = [];
  const announced: WorkerAnnouncement[] = [];
  const live = subscribeLive(rig.nc, {
    onFact: () => undefined,
    onProgress: (tick) => ticks.push(tick),
    onAnnouncement: (announcement) => announced.push(announcement),
    onMalformed: (_, error) => {
      throw error;
    },
  });
  const worker = await rig.worker({ name: 'desk' });
  const order = await rig.order('ticks/20/1000/60');
  await rig.factsUntil(order.jobId, ends);
  await worker.drain(1_000);
  await eventually(() => announced.some(({ status }) => status === 'DRAINING'), 'the worker says it drains');
  live.stop();

  const processed = ticks.filter((tick) => tick.jobId === order.jobId).map((tick) => tick.processedMs);
  expect(processed.length).toBeGreaterThan(2);
  expect(processed).toEqual(processed.toSorted((left, right) => left - right));
  const own = announced.filter(({ workerId }) => workerId === worker.workerId);
  expect(own.map(({ status }) => status)).toEqual(expect.arrayContaining(['IDLE', 'BUSY', 'DRAINING']));
  expect(own.find(({ status }) => status === 'BUSY')).toMatchObject({
    jobs: [order.jobId],
    hostname: 'desk',
  });
  expect(own.at(-1)).toMatchObject({
    processed: 1,
    failed: 0,
    models: [{ name: 'script', isDefault: true }],
  });
});
