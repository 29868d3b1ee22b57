import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cancelJob } from '../../../src/app/cancel-job.ts';
import { type DeadLetterPorts, discardDeadLetters } from '../../../src/app/dead-letters.ts';
import { ConfirmationError, ValidationError } from '../../../src/domain/errors.ts';
import { createJobReader } from '../../../src/storage/job-reader.ts';
import { POLICY } from '../../support/builders.ts';
import { openTestStorage, TENANT, type TestStorage } from '../../support/storage.ts';

const BY = { tenantId: TENANT, actor: 'test' };
let storage: TestStorage;
let ports: DeadLetterPorts;
beforeAll(async () => {
  storage = await openTestStorage();
  for (let n = 0; n < 3; n += 1) await storage.insert();
  await storage.database.query(
    `UPDATE jobs SET status = 'FAILED', finished_at = now(), expires_at = now(), dead_lettered_at = now(), failure_at = now(),
       failure = '{"kind":"INTERNAL","code":"X","message":"no","retryable":true}'`,
  );
  const untouched = () => Promise.reject(new Error('the broker has no part in this'));
  ports = {
    store: storage.store,
    reader: createJobReader(storage.database),
    broker: { clearCancel: untouched } as unknown as DeadLetterPorts['broker'],
    environment: { now: () => new Date(), random: () => 0, uuid: () => '' },
    lifecycle: POLICY,
  };
});
afterAll(() => storage.close());

describe('dead letters beyond the limit of one call', () => {
  it('count as matched, are what a caller confirms, and are left for the next call', async () => {
    const discard = (input: object) => discardDeadLetters(ports, BY, { filter: {}, limit: 2, ...input });

    expect(await discard({ dryRun: true })).toMatchObject({ matched: 3, changed: 0, skipped: 1 });
    await expect(discard({ expectedCount: 2 })).rejects.toThrow(ConfirmationError);
    expect(await discard({ expectedCount: 3 })).toMatchObject({ matched: 3, changed: 2, skipped: 1 });
    expect(await discard({})).toMatchObject({ matched: 1, changed: 1, skipped: 0 });
  });
});

describe('the reason of a cancel', () => {
  it('is refused above 200 characters', async () => {
    const id = await storage.insert();
    const broker = ports.broker as unknown as Parameters<typeof cancelJob>[0]['broker'];
    const cancel = (reason: string) => cancelJob({ ...ports, broker }, BY, { id, reason });

    await expect(cancel('x'.repeat(201))).rejects.toThrow(ValidationError);
    expect(await cancel('x'.repeat(200))).toMatchObject({ outcome: 'CANCELED' });
  });
});
