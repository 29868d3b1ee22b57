import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SeenEvent } from '../support/job-calls.ts';
import { type Service, startService } from '../support/service.ts';
import { sample } from '../support/whisper-piece.ts';
import { eventually } from '../support/worker-rig.ts';

const run = promisify(execFile);
let service: Service;
let recording: Buffer;

beforeAll(async () => {
  recording = await readFile(sample('shift').wav);
  service = await startService();
});
afterAll(() => service?.stop());

async function submitRecording(more: Record<string, unknown> = {}): Promise<string> {
  const uploadId = await service.jobs.upload(recording, 'shift.wav', 'audio/wav');
  return service.jobs.accepted({ audio: { uploadId }, ...more });
}

/** Watches until the first segment, then unsubscribes. */
async function running(id: string): Promise<SeenEvent> {
  for await (const event of service.jobs.watch(id)) if (event.newSegments.length > 0) return event;
  throw new Error(`job ${id} ended without a segment`);
}

/** Names of the child processes that the worker runs now. */
async function childrenOfWorker(): Promise<readonly string[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'ppid=,comm=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([parent]) => Number(parent) === service.workers[0]?.pid)
    .map(([, name = '']) => name);
}

describe('canceling', () => {
  it('ends a waiting job at once; ends a running one soon, stops its child process and keeps its segments', async () => {
    const busy = await submitRecording();
    await running(busy);
    const waiting = await submitRecording();
    expect(await childrenOfWorker()).toEqual([expect.stringContaining('whisper')]);

    expect(await service.jobs.cancel(waiting)).toMatchObject({
      outcome: 'CANCELED',
      job: { status: 'CANCELED' },
    });
    expect(await service.jobs.cancel(busy)).toMatchObject({ outcome: 'REQUESTED' });

    const ended = await service.jobs.finished(busy);
    expect(ended).toMatchObject({ status: 'CANCELED', failure: null });
    expect(ended.attempts).toEqual([{ number: 1, outcome: 'CANCELED' }]);
    expect(ended.transcript?.isFinal).toBe(true);
    expect(ended.transcript?.segments.nodes.length).toBe(ended.progress.segmentCount);
    expect(ended.progress.segmentCount).toBeGreaterThan(0);
    expect(ended.progress.fraction).toBeLessThan(1);
    await eventually(async () => (await childrenOfWorker()).length === 0, 'whisper is gone');
    expect(await service.jobs.cancel(busy)).toMatchObject({ outcome: 'ALREADY_FINAL' });
    expect(await service.jobs.find(waiting)).toMatchObject({ status: 'CANCELED', attempts: [] });
  });

  it('ends a scheduled job, and answers NOT_FOUND for an unknown one', async () => {
    const scheduled = await submitRecording({ scheduledFor: new Date(Date.now() + 3_600_000) });

    expect(await service.jobs.cancel(scheduled)).toMatchObject({
      outcome: 'CANCELED',
      job: { status: 'CANCELED' },
    });
    expect(await service.jobs.cancel(`job_${'0'.repeat(32)}`)).toMatchObject({
      __typename: 'NotFoundError',
      code: 'NOT_FOUND',
    });
  });
});

describe('deleting', () => {
  it('is refused while the job runs; with force it stops and removes the job', async () => {
    const id = await submitRecording();
    await running(id);

    expect(await service.jobs.delete(id)).toMatchObject({
      __typename: 'InvalidStateError',
      code: 'INVALID_STATE',
    });
    const watched = collectUntilEnd(id);
    expect(await service.jobs.delete(id, true)).toMatchObject({ deletedId: id });

    expect(await service.jobs.find(id)).toBeNull();
    await watched;
    await eventually(async () => (await childrenOfWorker()).length === 0, 'whisper is gone');
  });

  it('removes a finished job', async () => {
    const id = await submitRecording({ scheduledFor: new Date(Date.now() + 3_600_000) });
    await service.jobs.cancel(id);

    expect(await service.jobs.delete(id)).toMatchObject({ deletedId: id });

    expect(await service.jobs.find(id)).toBeNull();
    expect(await service.jobs.delete(id)).toMatchObject({ __typename: 'NotFoundError' });
  });
});

async function collectUntilEnd(id: string): Promise<void> {
  for await (const _ of service.jobs.watch(id));
}
