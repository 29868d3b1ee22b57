import { afterAll, beforeAll, expect, it } from 'vitest';
import { cancelJob } from '../../../src/app/cancel-job.ts';
import { UnavailableError, ValidationError } from '../../../src/domain/errors.ts';
import { applicationDeps } from '../../support/application-deps.ts';
import { fakeBroker } from '../../support/fake-broker.ts';
import { openTestStorage, TENANT, type TestStorage } from '../../support/storage.ts';

const BY = { tenantId: TENANT, actor: 'test' };
let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

it('refuses a reason of more than 200 characters', async () => {
  const id = await storage.insert();
  const cancel = (reason: string) => cancelJob(applicationDeps(storage), BY, { id, reason });

  await expect(cancel('x'.repeat(201))).rejects.toThrow(ValidationError);
  expect(await cancel('x'.repeat(200))).toBe('CANCELED');
});

it('stores the request while the broker is unreachable', async () => {
  const id = await storage.insert();
  await storage.database.query('UPDATE jobs SET admitted_at = now() WHERE id = $1', [id]);
  const away = async () => {
    throw new UnavailableError('The message broker cannot be reached.');
  };
  const deps = applicationDeps(storage, { broker: fakeBroker({ endRun: away }) });

  expect(await cancelJob(deps, BY, { id })).toBe('REQUESTED');
  const job = (await storage.reader.find(TENANT, [id])).get(id);
  expect(job).toMatchObject({ status: 'QUEUED', cancelRequestedAt: expect.any(Date) });
});
