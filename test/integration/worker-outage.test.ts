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

test('a run survives a kill and restart of nats-server, and its transcript is complete', async () => {
  const worker = await rig.worker();
  const task = await rig.task('restart/25/1000/100');
  await rig.eventsUntil(task.jobId, (event) => event.segmentCount >= 3);
  await rig.nats.kill();
  await rig.nats.restart();
  const events = await rig.eventsUntil(task.jobId, ends, 30_000);

  expect(typesOf(events)).toEqual(['started', 'audio', 'segments', 'completed']);
  expect(segmentsOf(events).map(({ text }) => text)).toEqual(
    scriptOf(task.audio.url)?.segments.map(({ text }) => text),
  );
  await rig.laneEmpty();
  await worker.drain(0);
});

test('a cancel that a disconnected worker missed reaches it at its next heartbeat', async () => {
  const worker = await rig.worker();
  const task = await rig.task('unheard/1000/1000/50');
  await rig.eventsUntil(task.jobId, (event) => event.type === 'segments');
  const { jobId } = task;
  const away = worker.connection.reconnect();
  await publishCancel(rig.nc, { v: 2, jobId, action: 'cancel', at: Date.now(), reason: null });
  const events = await rig.eventsUntil(jobId, ends);
  expect(events.at(-1)?.type).toBe('canceled');
  await away;
  await worker.drain(0);
});

test('a worker without NATS for too long ends its run without another event, and the job starts again later', async () => {
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
  const task = await rig.task('outage/40/1000/100');
  await rig.eventsUntil(task.jobId, (event) => event.segmentCount >= 3);
  await rig.nats.kill();
  await eventually(() => aborted.length > 0, 'the run is ended');
  expect(aborted[0]).toMatchObject({ name: 'FencedError' });
  await rig.nats.restart();
  const events = await rig.eventsUntil(task.jobId, ends, 30_000);

  const starts = events.filter((event) => event.type === 'started');
  expect(starts.map((event) => event.attempt)).toEqual([1, 2]);
  expect(segmentsOf(events).map(({ text }) => text)).toEqual(
    scriptOf(task.audio.url)?.segments.map(({ text }) => text),
  );
  await rig.laneEmpty();
  await worker.drain(0);
});
