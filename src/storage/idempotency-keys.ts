import type { EntityManager } from 'typeorm';
import type { Database } from './database.ts';

const KEY_LIFETIME = `interval '24 hours'`;

/** Claims the key for this job, unless another call has it. A concurrent claim of it waits for the first to commit. */
export async function claimKey(
  manager: EntityManager,
  key: UsedKey & { readonly jobId: string },
): Promise<KeyClaim> {
  const place = [key.tenantId, key.operation, key.key];
  const claim = [...place, key.inputHash, key.jobId, key.now];
  const inserted: unknown[] = await manager.query(
    `INSERT INTO idempotency_keys (tenant_id, operation, key, input_hash, job_id, created_at)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1 AS claimed`,
    claim,
  );
  if (inserted.length > 0) return { claimed: true };
  // Locked first: a statement that waits for the lock has a snapshot without the job that came with the key.
  const [first]: { job_id: string; input_hash: string; created_at: Date }[] = await manager.query(
    `SELECT job_id, input_hash, created_at FROM idempotency_keys
     WHERE tenant_id = $1 AND operation = $2 AND key = $3 FOR UPDATE`,
    place,
  );
  // A sweep deleted it meanwhile.
  if (first === undefined) return claimKey(manager, key);
  const [, renewed]: [unknown, number] = await manager.query(
    `UPDATE idempotency_keys AS k SET input_hash = $4, job_id = $5, created_at = $6
     WHERE k.tenant_id = $1 AND k.operation = $2 AND k.key = $3
       AND (k.created_at < $6::timestamptz - ${KEY_LIFETIME}
         OR NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = k.job_id))`,
    claim,
  );
  if (renewed > 0) return { claimed: true };
  return {
    claimed: false,
    jobId: first.job_id,
    sameInput: first.input_hash === key.inputHash,
    firstUsedAt: first.created_at,
  };
}

/** The job that an earlier call with the key created or changed, if it still exists. */
export async function earlierClaim(
  database: Database,
  key: UsedKey,
): Promise<Extract<KeyClaim, { claimed: false }> | null> {
  const [first]: { job_id: string; input_hash: string; created_at: Date }[] = await database.query(
    `SELECT job_id, input_hash, created_at FROM idempotency_keys AS k
     WHERE tenant_id = $1 AND operation = $2 AND key = $3 AND created_at >= $4::timestamptz - ${KEY_LIFETIME}
       AND EXISTS (SELECT 1 FROM jobs WHERE jobs.id = k.job_id)`,
    [key.tenantId, key.operation, key.key, key.now],
  );
  if (first === undefined) return null;
  const sameInput = first.input_hash === key.inputHash;
  return { claimed: false, jobId: first.job_id, sameInput, firstUsedAt: first.created_at };
}

/** Deletes keys past their lifetime. */
export async function deleteOldKeys(database: Database, now: Date, limit: number): Promise<void> {
  await database.query(
    `DELETE FROM idempotency_keys WHERE (tenant_id, operation, key) IN (
       SELECT tenant_id, operation, key FROM idempotency_keys
        WHERE created_at < $1::timestamptz - ${KEY_LIFETIME} ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
    [now, limit],
  );
}

/** The idempotency key of a call. */
export interface UsedKey {
  readonly tenantId: string;
  readonly operation: string;
  readonly key: string;
  /** Of the whole input; the key with another input is refused. */
  readonly inputHash: string;
  readonly now: Date;
}

/** The result of claiming an idempotency key. */
export type KeyClaim =
  | { readonly claimed: true }
  | {
      readonly claimed: false;
      readonly jobId: string;
      readonly sameInput: boolean;
      readonly firstUsedAt: Date;
    };
