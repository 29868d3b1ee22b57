import { afterAll, beforeAll, expect, it } from 'vitest';
import { discardDeadLetters } from '../../../src/app/dead-letters.ts';
import { ConfirmationError } from '../../../src/domain/errors.ts';
import { applicationDeps } from '../../support/application-deps.ts';
import { openTestStorage, TENANT, type TestStorage } from '../../support/storage.ts';

let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
  for (let n = 0; n < 3; n += 1) await storage.insert();
  await storage.database.query(
    `UPDATE jobs SET status = 'FAILED', finished_at = now(), expires_at = now(), dead_lettered_at = now(), failure_at = now(),
       failure = '{"kind":"INTERNAL","code":"X","message":"no","retryable":true}'`,
  );
});
afterAll(() => storage.close());

it('counts dead letters beyond its limit as matched, asks to confirm them, and leaves them for the next call', async () => {
  const deps = applicationDeps(storage);
  const by = { tenantId: TENANT, actor: 'test' };
  const discard = (input: object) => discardDeadLetters(deps, by, { filter: {}, limit: 2, ...input });

  expect(await discard({ dryRun: true })).toMatchObject({ matched: 3, changed: 0, skipped: 1 });
  await expect(discard({ expectedCount: 2 })).rejects.toThrow(ConfirmationError);
  expect(await discard({ expectedCount: 3 })).toMatchObject({ matched: 3, changed: 2, skipped: 1 });
  expect(await discard({})).toMatchObject({ matched: 1, changed: 1, skipped: 0 });
});
