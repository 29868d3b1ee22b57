import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CodecError } from '../../../src/contract/codec.ts';
import type { EventMessage } from '../../../src/contract/messages.ts';
import { UnavailableError } from '../../../src/domain/errors.ts';
import type { Job } from '../../../src/domain/job.ts';
import type { JobUpdate } from '../../../src/domain/job-update.ts';
import { Projector } from '../../../src/leader/projector.ts';
import type { ReadEvent } from '../../../src/messaging/event-reader.ts';
import { isRefusedData } from '../../../src/storage/database.ts';
import type { JobStore } from '../../../src/storage/job-store.ts';
import { OffsetConflictError, type ProjectorOffset } from '../../../src/storage/projector-offset.ts';
import { anAudioEvent, aProcessingJob, aStartedEvent, NOON, POLICY } from '../../support/builders.ts';
import { logLines } from '../../support/log-lines.ts';

const START: ProjectorOffset = { epoch: 'e1', sequence: 0, messageId: null };

/** Jobs and an offset in memory, with transactions that leave nothing behind when they fail. */
class MemoryStore {
  jobs = new Map<string, Job>();
  offset = START;
  quarantined: { readonly sequence: number; readonly jobId: string; readonly error: string }[] = [];
  commits = 0;
  /** Called for each update; throws as the database would. */
  refuse: (update: JobUpdate) => void = () => {};

  transaction = async <Result>(work: (jobs: object) => Promise<Result>): Promise<Result> => {
    const before = { jobs: new Map(this.jobs), offset: this.offset, quarantined: [...this.quarantined] };
    await setImmediate(); // A round trip.
    const apply = async (updates: readonly JobUpdate[]): Promise<void> => {
      for (const update of updates) this.refuse(update);
      for (const { job } of updates) this.jobs.set(job.id, job);
    };
    try {
      const result = await work({
        moveOffset: async (from: ProjectorOffset, to: ProjectorOffset) => {
          if (from.sequence !== this.offset.sequence) throw new OffsetConflictError('moved');
          this.offset = to;
        },
        lock: async (ids: readonly string[]) =>
          new Map(ids.flatMap((id) => (this.jobs.has(id) ? [[id, { job: this.jobs.get(id) }]] : []))),
        apply,
        tryToApply: async (updates: readonly JobUpdate[]) => {
          try {
            await apply(updates);
            return null;
          } catch (error) {
            if (isRefusedData(error)) return error;
            throw error;
          }
        },
        quarantine: async (event: MemoryStore['quarantined'][number]) => this.quarantined.push(event),
      });
      this.commits += 1;
      return result;
    } catch (error) {
      Object.assign(this, before);
      throw error;
    }
  };
}

/** A breach of a constraint, as node-postgres reports it. */
const refusedData = (): Error => Object.assign(new Error('violates check constraint'), { code: '23514' });

const IDS = ['job_a', 'job_b', 'job_c'];

const reading = (jobId: string, event: EventMessage, sequence: number): ReadEvent => ({
  ...{ jobId, sequence, messageId: `${jobId}:${sequence}`, bytes: new Uint8Array(), at: NOON, pending: 0 },
  ...{ event: { ...event, jobId }, malformed: null },
});

async function* from(events: readonly ReadEvent[]): AsyncGenerator<ReadEvent> {
  yield* events;
}

function aProjector(store: MemoryStore) {
  const { log, lines } = logLines();
  const options = {
    ...{ store: store as unknown as JobStore, log, lifecycle: POLICY },
    environment: { now: () => NOON, random: () => 0.5, uuid: () => '' },
  };
  return { projector: new Projector(options, store.offset), lines };
}

const run = (store: MemoryStore, events: readonly ReadEvent[]) =>
  aProjector(store).projector.run(from(events), new AbortController().signal);

function running(): MemoryStore {
  const store = new MemoryStore();
  for (const id of IDS) store.jobs.set(id, aProcessingJob({ id }));
  return store;
}

const audioOfEach = IDS.map((id, n) => reading(id, anAudioEvent(), n + 1));
const applied = (store: MemoryStore) => [...store.jobs.values()].map(({ lastOrdinal }) => lastOrdinal);

describe('the projector', () => {
  it('applies all that arrived during a transaction in the next one, and moves the offset behind it', async () => {
    const store = running();
    const later = Array.from({ length: 20 }, (_, n) =>
      reading('job_c', anAudioEvent({ ordinal: n + 3 }), n + 4),
    );
    await run(store, [...audioOfEach, ...later]);

    expect(applied(store)).toEqual([2, 2, 22]);
    expect(store.offset).toEqual({ epoch: 'e1', sequence: 23, messageId: 'job_c:23' });
    expect(store.commits).toBe(2);
  });

  it('applies the later events of a job on its earlier ones of the batch', async () => {
    const store = running();
    const events = [
      reading('job_a', anAudioEvent(), 1),
      reading('job_a', aStartedEvent({ attempt: 2, runId: 'run-b' }), 2),
      reading('job_a', anAudioEvent({ attempt: 2, runId: 'run-b' }), 3),
    ];
    await run(store, events);

    expect(store.jobs.get('job_a')).toMatchObject({ attempt: 2, lastOrdinal: 2, runId: 'run-b' });
  });

  it('passes over events up to its offset, of deleted jobs, and of runs that lost their job', async () => {
    const store = running();
    store.offset = { ...START, sequence: 1 };
    await run(store, [
      reading('job_a', anAudioEvent(), 1),
      reading('job_deleted', anAudioEvent(), 2),
      reading('job_b', anAudioEvent({ runId: 'run-z' }), 3),
      reading('job_c', anAudioEvent(), 4),
    ]);

    expect(applied(store)).toEqual([1, 1, 2]);
    expect(store.quarantined).toEqual([]);
    expect(store.offset.sequence).toBe(4);
  });

  it('ends the job of an event that cannot be read or has a gap before it, and applies the others', async () => {
    const store = running();
    const malformed = new CodecError('message is not JSON in UTF-8');
    await run(store, [
      { ...reading('job_a', anAudioEvent(), 1), event: null, malformed },
      reading('job_b', anAudioEvent({ ordinal: 5 }), 2),
      reading('job_c', anAudioEvent(), 3),
    ]);

    expect([...store.jobs.values()].map(({ status }) => status)).toEqual(['FAILED', 'FAILED', 'PROCESSING']);
    expect(store.jobs.get('job_c')?.lastOrdinal).toBe(2);
    expect(store.quarantined).toMatchObject([
      { sequence: 1, jobId: 'job_a', error: 'message is not JSON in UTF-8' },
      { sequence: 2, jobId: 'job_b', error: expect.stringContaining('does not follow') },
    ]);
  });

  it('ends the job whose event the database refuses, and applies the others of its batch', async () => {
    const store = running();
    store.refuse = ({ job }) => {
      if (job.id === 'job_b' && job.status !== 'FAILED') throw refusedData();
    };
    await run(store, audioOfEach);

    expect(applied(store)).toEqual([2, 1, 2]);
    expect(store.jobs.get('job_b')).toMatchObject({
      status: 'FAILED',
      failure: { code: 'EVENT_NOT_STORABLE' },
    });
    expect(store.quarantined).toMatchObject([{ sequence: 2, error: 'violates check constraint' }]);
    expect(store.offset.sequence).toBe(3);
  });

  it('stops at an error that is not about the data, with an alarm, and passes nothing over', async () => {
    const store = running();
    store.refuse = () => {
      throw Object.assign(new Error('column "x" does not exist'), { code: '42703' });
    };
    const { projector, lines } = aProjector(store);

    const projecting = projector.run(from(audioOfEach), new AbortController().signal);

    await expect(projecting).rejects.toThrow('does not exist');
    expect(store.offset).toEqual(START);
    expect(store.quarantined).toEqual([]);
    expect(lines).toContainEqual(expect.objectContaining({ alarm: 'PROJECTOR_STOPPED' }));
  });

  it('waits while the database is unreachable, and quarantines nothing', async () => {
    const store = running();
    let refusals = 2;
    store.refuse = () => {
      if (refusals-- > 0) throw new UnavailableError('gone');
    };
    await run(store, audioOfEach);

    expect(applied(store)).toEqual([2, 2, 2]);
    expect(store.quarantined).toEqual([]);
  });

  it('stops when another projector has moved the offset', async () => {
    const store = running();
    const { projector } = aProjector(store);
    store.offset = { ...START, sequence: 9 };

    await expect(projector.run(from(audioOfEach), new AbortController().signal)).rejects.toThrow(
      OffsetConflictError,
    );
    expect(applied(store)).toEqual([1, 1, 1]);
  });
});
