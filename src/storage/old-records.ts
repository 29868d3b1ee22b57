import type { Database } from './database.ts';
import { deleteOldKeys } from './idempotency-keys.ts';

const ROWS_A_SWEEP = 5000;

/** Removes idempotency keys, quarantined events and models that are past their time. */
export async function deleteOldRecords(database: Database, now: Date): Promise<void> {
  await deleteOldKeys(database, now, ROWS_A_SWEEP);
  await database.query(
    `DELETE FROM event_quarantine WHERE ctid IN (SELECT ctid FROM event_quarantine
        WHERE quarantined_at < $1::timestamptz - interval '90 days' LIMIT $2)`,
    [now, ROWS_A_SWEEP],
  );
  await database.query(`DELETE FROM models WHERE last_seen_at < $1::timestamptz - interval '30 days'`, [now]);
}
