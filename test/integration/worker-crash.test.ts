import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FactMessage } from '../../src/contract/messages.ts';
import { scriptOf } from '../support/scripted-engine.mjs';
import { ends, segmentsOf, startWorkerRig, typesOf, type WorkerRig } from '../support/worker-rig.ts';

let rig: WorkerRig;
beforeAll(async () => {
  rig = await startWorkerRig();
});
afterAll(() => rig.stop());

function expectWholeTranscript(facts: readonly FactMessage[], url: string): void {
  const script = scriptOf(url)?.segments ?? [];
  expect(segmentsOf(facts).map(({ index, text }) => ({ index, text }))).toEqual(
    script.map(({ text }, index) => ({ index, text })),
  );
}

test('a killed worker’s job continues on another at its checkpoint, without a gap or a repeat', async () => {
  const doomed = await rig.spawnWorker();
  const order = await rig.order('killed/14/1000/100');
  await rig.factsUntil(order.jobId, (fact) => fact.segmentCount >= 4);
  doomed.kill('SIGKILL');
  await once(doomed, 'exit');
  const heir = await rig.worker();
  const facts = await rig.factsUntil(order.jobId, ends);

  expect(typesOf(facts)).toEqual([
    'started',
    'audio',
    'segments',
    'started',
    'audio',
    'segments',
    'completed',
  ]);
  expect(facts.at(-1)).toMatchObject({ attempt: 2, lostAttempts: 1 });
  expectWholeTranscript(facts, order.audio.url);
  await rig.laneEmpty();
  await heir.drain(0);
});

test('a frozen worker that wakes up after another took its job adds nothing to it', async () => {
  const zombie = await rig.spawnWorker();
  const order = await rig.order('frozen/30/1000/100');
  await rig.factsUntil(order.jobId, (fact) => fact.segmentCount >= 3);
  zombie.kill('SIGSTOP');
  const heir = await rig.worker();
  await rig.factsUntil(order.jobId, (fact) => fact.attempt === 2 && fact.type === 'segments');
  zombie.kill('SIGCONT');
  const facts = await rig.factsUntil(order.jobId, ends);

  const instances = facts.map((fact) => fact.instance).filter((id, at, all) => id !== all[at - 1]);
  expect(instances).toHaveLength(2);
  expect(facts.filter((fact) => fact.type === 'completed')).toHaveLength(1);
  expectWholeTranscript(facts, order.audio.url);

  // The former zombie is a sound worker again.
  await heir.drain(0);
  const next = await rig.order('after/2/1000/10');
  await rig.factsUntil(next.jobId, (fact) => fact.type === 'completed');
  await rig.laneEmpty();
  zombie.kill('SIGTERM');
  expect(await once(zombie, 'exit')).toEqual([0, null]);
});

test('nothing of a worker’s files is left once it is gone', async () => {
  const doomed = await rig.spawnWorker();
  const order = await rig.order('files/200/1000/50');
  await rig.factsUntil(order.jobId, (fact) => fact.type === 'started');
  doomed.kill('SIGKILL');
  await once(doomed, 'exit');
  const orphan = `-${doomed.pid}`;
  expect((await readdir(rig.directory)).some((name) => name.endsWith(orphan))).toBe(true);
  const next = await rig.worker();
  expect((await readdir(rig.directory)).some((name) => name.endsWith(orphan))).toBe(false);
  await next.drain(0);
});
