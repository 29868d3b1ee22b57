import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { ProgressMessage } from '../../../src/contract/messages.ts';
import { UnavailableError } from '../../../src/domain/errors.ts';
import { Hub, type HubOptions } from '../../../src/live/hub.ts';
import { JOB_ID, NOON } from '../../support/builders.ts';
import { aJobView } from '../../support/fake-application.ts';

const OTHER_ID = 'job_0190a1b2c3d47e8f9a0b1c2d3e4f5a6c';
const NOW_MS = NOON.getTime();

function aHub(options: Partial<HubOptions> = {}): Hub {
  return new Hub({
    read: async (ids) => {
      const known = ids.filter((id) => id === JOB_ID || id === OTHER_ID);
      const snapshot = (id: string) => ({
        view: aJobView({ id, status: 'PROCESSING', attempt: 1 }),
        generation: 1,
        segmentCount: 0,
      });
      return new Map(known.map((id) => [id, snapshot(id)]));
    },
    log: pino({ level: 'silent' }),
    now: () => NOW_MS,
    ...options,
  });
}

const TICK = { jobId: JOB_ID, attempt: 1, at: NOW_MS - 1000, processedMs: 7000, totalMs: 10_000 };
const aProgressMessage = (change: Partial<ProgressMessage> = {}) =>
  ({ ...TICK, ...change }) as ProgressMessage;

async function joined(hub: Hub) {
  const channel = await hub.join(JOB_ID);
  if (channel === null) throw new Error('The job is there.');
  await new Promise((resolve) => setImmediate(resolve));
  return channel;
}

describe('a subscriber of a run that began before this server', () => {
  it('is shown at once what the run last told, which is no sign of life', async () => {
    const hub = aHub({ lastProgress: async () => aProgressMessage() });

    expect((await joined(hub)).view.progress.processedSeconds).toBe(7);
    expect(hub.progressOf(JOB_ID)).toMatchObject({ processedMs: 7000 });
    expect(hub.lastSeenAt(JOB_ID)).toBeNull();
  });

  it('is not shown what is old, or older than what was heard meanwhile', async () => {
    const old = aHub({ lastProgress: async () => aProgressMessage({ at: NOW_MS - 121_000 }) });
    const passed: Hub = aHub({
      lastProgress: async () => {
        passed.receiveProgress(aProgressMessage({ processedMs: 9000 }));
        return aProgressMessage();
      },
    });

    expect((await joined(old)).view.progress.processedSeconds).toBe(0);
    expect((await joined(passed)).view.progress.processedSeconds).toBe(9);
  });

  it('joins all the same while the broker is away', async () => {
    const hub = aHub({ lastProgress: () => Promise.reject(new UnavailableError('NATS is away.')) });

    expect((await joined(hub)).view.progress.processedSeconds).toBe(0);
  });
});

describe('the bound on subscribers', () => {
  it('refuses one more until one leaves, and does not count those that found no job', async () => {
    const hub = aHub({ maxSubscribers: 2 });
    await hub.join(JOB_ID);
    expect(await hub.join('job_none')).toBeNull();
    await hub.join(OTHER_ID);

    await expect(hub.join(JOB_ID)).rejects.toBeInstanceOf(UnavailableError);
    hub.leave(OTHER_ID);
    expect(await hub.join(JOB_ID)).not.toBeNull();
    expect(hub.subscribers).toBe(2);
  });
});
