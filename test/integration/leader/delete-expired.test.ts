import { afterEach, beforeEach, expect, it } from 'vitest';
import { UnavailableError } from '../../../src/domain/errors.ts';
import { deleteExpired } from '../../../src/leader/delete-expired.ts';
import { logLines } from '../../support/log-lines.ts';
import { openTestStorage, type TestStorage } from '../../support/storage.ts';

const JOBS = 120;
let storage: TestStorage;
beforeEach(async () => {
  storage = await openTestStorage();
  for (let n = 0; n < JOBS; n += 1) await storage.insert();
  await storage.database.query(
    `UPDATE jobs SET status = 'CANCELED', finished_at = now(), expires_at = now() - interval '1 hour'`,
  );
  await storage.insert();
});
afterEach(() => storage.close());

/** Makes Postgres refuse statements that delete more jobs than this, as it does when they take too long. */
async function limitDeletes(limit: number): Promise<void> {
  await storage.database.query(
    `CREATE OR REPLACE FUNCTION limit_deletes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF (SELECT count(*) FROM gone) > ${limit} THEN RAISE EXCEPTION 'too many' USING ERRCODE = '57014'; END IF;
       RETURN NULL; END $$`,
  );
  await storage.database.query(
    `CREATE OR REPLACE TRIGGER limit_deletes AFTER DELETE ON jobs
       REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION limit_deletes()`,
  );
}

async function jobsLeft(): Promise<number> {
  const [row] = await storage.database.query('SELECT count(*)::int AS count FROM jobs');
  return row.count;
}

it.each([1000, 7, 1])(
  'deletes every expired job where Postgres deletes %i at once, and no other',
  async (limit) => {
    await limitDeletes(limit);
    await deleteExpired(storage.store, new Date(), logLines().log);

    expect(await jobsLeft()).toBe(1);
  },
);

it('leaves out a job that cannot be deleted, and deletes the others', async () => {
  const [{ id }] = await storage.database.query(
    `SELECT id FROM jobs WHERE status = 'CANCELED' LIMIT 1 OFFSET 60`,
  );
  await storage.database.query('CREATE TABLE holders (job_id text REFERENCES jobs (id))');
  await storage.database.query('INSERT INTO holders VALUES ($1)', [id]);
  const { log, lines } = logLines();
  await deleteExpired(storage.store, new Date(), log);

  expect(await storage.database.query(`SELECT id FROM jobs WHERE status = 'CANCELED'`)).toEqual([{ id }]);
  expect(lines).toMatchObject([{ jobId: id, msg: 'could not delete an expired job' }]);
});

it('fails when not even one can be deleted', async () => {
  await limitDeletes(0);

  await expect(deleteExpired(storage.store, new Date(), logLines().log)).rejects.toThrow(UnavailableError);
  expect(await jobsLeft()).toBe(JOBS + 1);
});
