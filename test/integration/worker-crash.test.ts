import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventMessage } from '../../src/contract/messages.ts';
import { scriptOf } from '../support/scripted-engine.mjs';
import { ends, segmentsOf, startWorkerRig, typesOf, type WorkerRig } from '../support/worker-rig.ts';

let rig: WorkerRig;
beforeAll(async () => {
  rig = await startWorkerRig();
});
afterAll(() => rig.stop());

function expectWholeTranscript(events: readonly EventMessage[], url: string): void {
  const script = scriptOf(url)?.segments ?? [];
  expect(segmentsOf(events).map(({ index, text }) => ({ index, text }))).toEqual(
    script.map(({ text }, index) => ({ index, text })),
  );
}

test('the job of a killed worker continues on another one at its checkpoint, without a gap or a repeat', async () => {
  const doomed = await rig.spawnWorker();
  const task = await rig.task('killed/14/1000/100');
  await rig.eventsUntil(task.jobId, (event) => event.segmentCount >= 4);
  doomed.kill('SIGKILL');
  await once(doomed, 'exit');
  const heir = await rig.worker();
  const events = await rig.eventsUntil(task.jobId, ends);

  expect(typesOf(events)).toEqual([
    'started',
    'audio',
    'segments',
    'started',
    'audio',
    'segments',
    'completed',
  ]);
  expect(events.at(-1)).toMatchObject({ attempt: 2, lostRuns: 1 });
  expectWholeTranscript(events, task.audio.url);
  await rig.laneEmpty();
  await heir.drain(0);
});

test('a frozen worker that resumes after another one took its job adds nothing to it', async () => {
  const zombie = await rig.spawnWorker();
  const task = await rig.task('frozen/30/1000/100');
  await rig.eventsUntil(task.jobId, (event) => event.segmentCount >= 3);
  zombie.kill('SIGSTOP');
  const heir = await rig.worker();
  await rig.eventsUntil(task.jobId, (event) => event.attempt === 2 && event.type === 'segments');
  zombie.kill('SIGCONT');
  const events = await rig.eventsUntil(task.jobId, ends);

  const runIds = events.map((event) => event.runId).filter((id, at, all) => id !== all[at - 1]);
  expect(runIds).toHaveLength(2);
  expect(events.filter((event) => event.type === 'completed')).toHaveLength(1);
  expectWholeTranscript(events, task.audio.url);

  // The resumed worker takes tasks again.
  await heir.drain(0);
  const next = await rig.task('after/2/1000/10');
  await rig.eventsUntil(next.jobId, (event) => event.type === 'completed');
  await rig.laneEmpty();
  zombie.kill('SIGTERM');
  expect(await once(zombie, 'exit')).toEqual([0, null]);
});

test('the files of a killed worker are removed when the next one starts', async () => {
  const doomed = await rig.spawnWorker();
  const task = await rig.task('files/200/1000/50');
  await rig.eventsUntil(task.jobId, (event) => event.type === 'started');
  doomed.kill('SIGKILL');
  await once(doomed, 'exit');
  const orphan = `-${doomed.pid}`;
  expect((await readdir(rig.directory)).some((name) => name.endsWith(orphan))).toBe(true);
  const next = await rig.worker();
  expect((await readdir(rig.directory)).some((name) => name.endsWith(orphan))).toBe(false);
  await next.drain(0);
});
