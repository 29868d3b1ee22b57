import { afterEach, beforeEach, expect, test } from 'vitest';
import { publishCancel } from '../../src/messaging/control.ts';
import { createEngine, scriptOf } from '../support/scripted-engine.mjs';
import {
  ends,
  eventually,
  segmentsOf,
  startWorkerRig,
  typesOf,
  type WorkerRig,
} from '../support/worker-rig.ts';

let rig: WorkerRig;
beforeEach(async () => {
  rig = await startWorkerRig();
});
afterEach(() => rig.stop());

test('a run outlives a kill and restart of nats-server, and its transcript is whole', async () => {
  const worker = await rig.worker();
  const order = await rig.order('restart/25/1000/100');
  await rig.factsUntil(order.jobId, (fact) => fact.segmentCount >= 3);
  await rig.nats.kill();
  await rig.nats.restart();
  const facts = await rig.factsUntil(order.jobId, ends, 30_000);

  expect(typesOf(facts)).toEqual(['started', 'audio', 'segments', 'completed']);
  expect(segmentsOf(facts).map(({ text }) => text)).toEqual(
    scriptOf(order.audio.url)?.segments.map(({ text }) => text),
  );
  await rig.laneEmpty();
  await worker.drain(0);
});

test('a cancel that a disconnected worker did not hear reaches it all the same', async () => {
  const worker = await rig.worker();
  const order = await rig.order('unheard/1000/1000/50');
  await rig.factsUntil(order.jobId, (fact) => fact.type === 'segments');
  const { jobId } = order;
  const away = worker.connection.reconnect();
  await publishCancel(rig.nc, { v: 1, jobId, action: 'cancel', at: Date.now(), reason: null });
  const facts = await rig.factsUntil(jobId, ends);
  expect(facts.at(-1)?.type).toBe('canceled');
  await away;
  await worker.drain(0);
});

test('a worker without NATS for too long gives its run up without a word, and the job starts again later', async () => {
  const aborted: unknown[] = [];
  const engine = await createEngine({ env: {}, log: rig.log });
  const transcribe = engine.transcribe.bind(engine);
  const worker = await rig.worker({
    engine: {
      engine: 'WHISPER',
      input: 'source',
      device: 'script',
      available: true,
      models: () => engine.models(),
      close: () => engine.close(),
      transcribe: (source, report, signal) => {
        signal.addEventListener('abort', () => aborted.push(signal.reason));
        return transcribe(source, report, signal);
      },
    },
  });
  const order = await rig.order('outage/40/1000/100');
  await rig.factsUntil(order.jobId, (fact) => fact.segmentCount >= 3);
  await rig.nats.kill();
  await eventually(() => aborted.length > 0, 'the run is given up');
  expect(aborted[0]).toMatchObject({ name: 'FencedError' });
  await rig.nats.restart();
  const facts = await rig.factsUntil(order.jobId, ends, 30_000);

  const starts = facts.filter((fact) => fact.type === 'started');
  expect(starts.map((fact) => fact.attempt)).toEqual([1, 2]);
  expect(segmentsOf(facts).map(({ text }) => text)).toEqual(
    scriptOf(order.audio.url)?.segments.map(({ text }) => text),
  );
  await rig.laneEmpty();
  await worker.drain(0);
});
