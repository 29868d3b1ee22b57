import { describe, expect, it, vi } from 'vitest';
import { encode } from '../../../src/contract/codec.ts';
import type { ProgressMessage } from '../../../src/contract/messages.ts';
import { controlSubject, eventSubject, progressSubject } from '../../../src/contract/subjects.ts';
import { appendEvent, isRunActive, readChainEnd } from '../../../src/messaging/chain.ts';
import { readControl } from '../../../src/messaging/control.ts';
import { publishProgress } from '../../../src/messaging/live.ts';
import { anEndingEvent, aStartedEvent, JOB_ID } from '../../support/builders.ts';
import { FakeNats } from '../../support/fake-nats.ts';

// Waiting takes a hundredth of its time.
vi.mock('node:timers/promises', async (original) => {
  const { setTimeout } = await original<typeof import('node:timers/promises')>();
  return { setTimeout: (ms: number, ...rest: [unknown, object]) => setTimeout(ms / 100, ...rest) };
});

const event = aStartedEvent();
const subject = eventSubject(JOB_ID);
const progressOf = (): ProgressMessage => ({
  ...{ v: 2, jobId: JOB_ID, attempt: 1, runId: 'run-a', at: 1, stage: 'FETCHING', processedMs: 0 },
  ...{ totalMs: null, realtimeFactor: null, estimated: false, etaMs: null },
});

describe('an event that is appended', () => {
  it('comes behind the one that its writer expects, under an id of its run', async () => {
    const nats = new FakeNats();

    expect(await appendEvent(nats.nc, event, 0)).toEqual({ accepted: true, sequence: 1, duplicate: false });
    const end = anEndingEvent('canceled');
    expect(await appendEvent(nats.nc, end, 1)).toEqual({ accepted: true, sequence: 2, duplicate: false });
    expect(nats.eventsOf(JOB_ID)).toEqual([event, end]);
    expect(nats.stored.map(({ messageId }) => messageId)).toEqual([`${JOB_ID}:run-a:1`, `${JOB_ID}:run-a:2`]);
  });

  it('is refused when another writer was faster, and leaves no trace', async () => {
    const nats = new FakeNats();
    nats.store(subject, aStartedEvent({ runId: 'run-b' }), `${JOB_ID}:run-b:1`);

    expect(await appendEvent(nats.nc, event, 0)).toEqual({ accepted: false });
    expect(nats.stored).toHaveLength(1);
  });

  it.each([
    { server: '2.9, which looks for duplicates first', duplicatesFirst: true },
    { server: '2.15, which checks the expected sequence first', duplicatesFirst: false },
  ])(
    'gets its first place when it is sent again after a lost answer, on nats-server $server',
    async (row) => {
      const nats = new FakeNats();
      nats.duplicatesFirst = row.duplicatesFirst;
      nats.fateOf = () => 'unanswered';
      await expect(appendEvent(nats.nc, event, 0)).rejects.toThrow('timeout');
      nats.fateOf = () => 'answered';

      expect(await appendEvent(nats.nc, event, 0)).toEqual({ accepted: true, sequence: 1, duplicate: true });
      expect(nats.stored).toHaveLength(1);
    },
  );

  it('is not taken for its own where another run or another event of the run is at the end', async () => {
    const nats = new FakeNats();
    nats.duplicatesFirst = false;
    nats.store(subject, event, `${JOB_ID}:run-a:1`);
    nats.store(subject, anEndingEvent('lost', { runId: 'server-1' }), `${JOB_ID}:server-1:2`);

    expect(await appendEvent(nats.nc, event, 0)).toEqual({ accepted: false });
  });

  it('is sent again while another write is under way, until that is decided', async () => {
    const nats = new FakeNats();
    nats.refusals.push(10_164, 10_164, 10_164);

    expect(await appendEvent(nats.nc, event, 0)).toMatchObject({ accepted: true, sequence: 1 });
    expect(nats.requests).toEqual(Array(4).fill(subject));
  });

  it('is neither accepted nor refused while another write stays under way', async () => {
    const nats = new FakeNats();
    nats.refusals.push(...Array(8).fill(10_164));

    await expect(appendEvent(nats.nc, event, 0)).rejects.toMatchObject({ code: 10_164 });
    expect(nats.requests).toEqual(Array(8).fill(subject));
  });

  it('passes on any other refusal', async () => {
    const nats = new FakeNats();
    nats.refusals.push(10_077);

    await expect(appendEvent(nats.nc, event, 0)).rejects.toMatchObject({ code: 10_077 });
    expect(nats.requests).toEqual([subject]);
  });
});

describe('the end of a chain', () => {
  it('is null before the first event', async () => {
    expect(await readChainEnd(new FakeNats().nc, JOB_ID)).toBeNull();
  });

  it('is the newest event with its sequence', async () => {
    const nats = new FakeNats();
    nats.store(subject, event);
    nats.store(eventSubject('job_other'), event);
    nats.store(subject, anEndingEvent('released'));

    expect(await readChainEnd(nats.nc, JOB_ID)).toEqual({
      event: anEndingEvent('released'),
      malformed: null,
      sequence: 3,
    });
  });

  it.each([
    { what: 'of another version', message: { v: 99 }, reason: /field/ },
    {
      what: 'about another job',
      message: { ...event, jobId: 'job_2' },
      reason: /job_2 on a subject of job_/,
    },
  ])(
    'that cannot be read ($what) is a value that says so, with its sequence',
    async ({ message, reason }) => {
      const nats = new FakeNats();
      nats.store(subject, message);

      const end = await readChainEnd(nats.nc, JOB_ID);
      expect(end).toMatchObject({ event: null, sequence: 1 });
      expect(end?.malformed?.message).toMatch(reason);
    },
  );
});

describe('a run is active', () => {
  const run = { jobId: JOB_ID, runId: 'run-a' };
  const live = progressOf();

  it.each([
    { by: 'an event', act: (nats: FakeNats) => nats.store(subject, event) },
    { by: 'progress', act: (nats: FakeNats) => publishProgress(nats.nc, live) },
  ])('when it publishes $by, at once', async ({ act }) => {
    const nats = new FakeNats();
    const active = isRunActive(nats.nc, run, 60_000);
    act(nats);

    expect(await active).toBe(true);
    expect(nats.subscriptions).toBe(0);
  });

  it('no longer when another run extends the chain, at once', async () => {
    const nats = new FakeNats();
    const active = isRunActive(nats.nc, run, 60_000);
    nats.store(subject, aStartedEvent({ runId: 'run-b', attempt: 2 }));

    expect(await active).toBe(false);
    expect(nats.subscriptions).toBe(0);
  });

  it('although progress of an earlier run arrives first', async () => {
    const nats = new FakeNats();
    const active = isRunActive(nats.nc, run, 60_000);
    publishProgress(nats.nc, { ...live, runId: 'run-before' });
    publishProgress(nats.nc, live);

    expect(await active).toBe(true);
  });

  it('not by messages of another run, of another job or without a run', async () => {
    const nats = new FakeNats();
    const active = isRunActive(nats.nc, run, 20);
    nats.deliver(`transcribe.live.progress.${JOB_ID}`, encode({ ...live, runId: 'run-b' }));
    nats.deliver(`transcribe.live.events.${JOB_ID}`, encode({ ...event, jobId: 'job_2' }));
    nats.deliver(`transcribe.live.events.${JOB_ID}`, encode({ v: 99 }));
    nats.store(eventSubject('job_2'), { ...event, jobId: 'job_2' });

    expect(await active).toBe(false);
    expect(nats.subscriptions).toBe(0);
  });
});

describe('a control message', () => {
  const cancel = { v: 2, jobId: JOB_ID, action: 'cancel', at: 1, reason: null } as const;

  it('is read where this version understands it', async () => {
    const nats = new FakeNats();
    expect(await readControl(nats.nc, JOB_ID)).toBeNull();
    nats.store(controlSubject(JOB_ID), cancel);
    expect(await readControl(nats.nc, JOB_ID)).toEqual(cancel);
    nats.store(controlSubject(JOB_ID), { ...cancel, action: 'pause' });
    expect(await readControl(nats.nc, JOB_ID)).toBeNull();
  });
});

it('progress is dropped while the connection is closed', () => {
  const nats = new FakeNats();
  nats.isClosed = true;
  publishProgress(nats.nc, progressOf());

  expect(nats.published.filter(({ subject: of }) => of === progressSubject(JOB_ID))).toEqual([]);
});
