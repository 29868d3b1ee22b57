import { createHash } from 'node:crypto';
import { IdempotencyError } from '../domain/errors.ts';
import type { Principal } from '../domain/principal.ts';
import type { KeyClaim, UsedKey } from '../storage/idempotency-keys.ts';

/** The key of a call, with a hash of its whole input: the same key with another input is refused. */
export function usedKey(
  operation: string,
  by: Principal,
  input: { readonly idempotencyKey: string | null },
  now: Date,
): UsedKey | null {
  const { idempotencyKey: key } = input;
  if (key === null) return null;
  const inputHash = createHash('sha256').update(JSON.stringify(input)).digest('hex');
  return { tenantId: by.tenantId, operation, key, inputHash, now };
}

/** The job of the earlier call with the key. @throws IdempotencyError when that call had another input. */
export function replayedJob(claim: Extract<KeyClaim, { claimed: false }>): string {
  if (claim.sameInput) return claim.jobId;
  throw new IdempotencyError(
    'IDEMPOTENCY_MISMATCH',
    'This `idempotencyKey` was used with a different input in the last 24 hours. Use a new key for a new request.',
    { jobId: claim.jobId, firstUsedAt: claim.firstUsedAt },
  );
}
