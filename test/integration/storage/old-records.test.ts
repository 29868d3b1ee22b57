import { afterAll, beforeAll, expect, it } from 'vitest';
import { deleteOldRecords } from '../../../src/storage/old-records.ts';
import { DAY_MS, openTestStorage, type TestStorage } from '../../support/storage.ts';

let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

it('keeps quarantined events for 90 days and models for 30', async () => {
  const { database } = storage;
  const now = new Date();
  const ago = (days: number) => new Date(now.getTime() - days * DAY_MS);
  for (const [sequence, days] of [89, 91].entries()) {
    await database.query(
      `INSERT INTO event_quarantine (stream_epoch, sequence, job_id, data, error, quarantined_at)
       VALUES ('e', $1, 's', '', 'broken', $2)`,
      [sequence, ago(days)],
    );
  }
  for (const days of [29, 31]) {
    await database.query(
      `INSERT INTO models (engine, name, languages, is_default, last_seen_at) VALUES ('WHISPER', $1, '{}', false, $2)`,
      [`of-${days}`, ago(days)],
    );
  }

  await deleteOldRecords(database, now);

  expect(await database.query('SELECT sequence::int FROM event_quarantine')).toEqual([{ sequence: 0 }]);
  expect(await database.query('SELECT name FROM models')).toEqual([{ name: 'of-29' }]);
});
