import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { watchSegments } from '../../../src/live/watch-segments.ts';
import { applicationDeps } from '../../support/application-deps.ts';
import { insertSegments, openTestStorage, TENANT, type TestStorage } from '../../support/storage.ts';

let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

it('waits for a change while segments that the row counts cannot be read', async () => {
  let reads = 0;
  const reader: TestStorage['reader'] = {
    ...storage.reader,
    segments: (...range) => {
      reads += 1;
      return storage.reader.segments(...range);
    },
  };
  const deps = applicationDeps(storage, { reader });
  const id = await storage.insert();
  await storage.database.query('UPDATE jobs SET segment_count = 2 WHERE id = $1', [id]);
  const stop = new AbortController();
  const events = watchSegments(deps, { tenantId: TENANT, actor: 'test' }, { id }, stop.signal);

  const first = events.next();
  await expect.poll(() => reads).toBeGreaterThan(0);
  await delay(200);
  const readsWhileStale = reads;
  await insertSegments(storage, id, 2);
  await storage.database.query('UPDATE jobs SET revision = revision + 1 WHERE id = $1', [id]);
  deps.hub.jobChanged(id);

  expect((await first).value).toMatchObject({ from: 0, to: 1, segments: [{ index: 0 }, { index: 1 }] });
  // Joining reads the row once more, which may be a change.
  expect(readsWhileStale).toBeLessThanOrEqual(2);
  stop.abort();
  await events.return();
});
