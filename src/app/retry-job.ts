import { z } from 'zod';
import { InvalidStateError, UnavailableError } from '../domain/errors.ts';
import { isBrokenChain } from '../domain/failures.ts';
import type { Job } from '../domain/job.ts';
import { advance } from '../domain/lifecycle.ts';
import { contextOf, type LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { Principal } from '../domain/principal.ts';
import { IdempotencyKey, optional, text, validate } from '../domain/validate.ts';
import { JOB_PRIORITIES, type JobPriority } from '../domain/vocabulary.ts';
import type { Broker } from '../messaging/broker.ts';
import type { StoredJob } from '../storage/job-rows.ts';
import type { JobTransaction } from '../storage/job-transaction.ts';
import type { Storage } from '../storage/open-storage.ts';
import { checkModel } from './check-engine-options.ts';
import { replayedJob, usedKey } from './idempotency.ts';

export const RetryJobInput = z.object({
  id: z.string(),
  model: optional(text(1, 100)),
  priority: optional(z.enum(JOB_PRIORITIES)),
  idempotencyKey: optional(IdempotencyKey),
});
export type RetryJobInput = z.input<typeof RetryJobInput>;

export interface RetryJobDeps extends Pick<Storage, 'store' | 'models'>, LifecyclePorts {
  readonly broker: Broker;
}

/**
 * Runs a failed job again: the same id, the next attempt, as many attempts as at first. It continues at the checkpoint,
 * unless another model is requested; then the transcript starts over.
 *
 * @throws NotFoundError, InvalidStateError, ValidationError, IdempotencyError, UnavailableError.
 */
export async function retryJob(
  deps: RetryJobDeps,
  by: Principal,
  input: RetryJobInput,
): Promise<{ readonly jobId: string; readonly replayed: boolean }> {
  const valid = validate(RetryJobInput, input, ['input']);
  const { id, model, priority } = valid;
  const key = usedKey('retryJob', by, valid, deps.environment.now());
  const models = model === null ? [] : await deps.models.known();
  const claim = await deps.store.transaction(async (jobs) => {
    const claimed = key === null ? { claimed: true as const } : await jobs.claimKey({ ...key, jobId: id });
    if (!claimed.claimed) return claimed;
    const stored = await jobs.lockOwn(by.tenantId, id);
    if (model !== null) checkModel(models, stored.job.engines[0], model);
    await requeue(deps, jobs, stored, { model, priority });
    return claimed;
  });
  return claim.claimed ? { jobId: id, replayed: false } : { jobId: replayedJob(claim), replayed: true };
}

/** @throws InvalidStateError unless the job is FAILED. */
export async function requeue(
  deps: Omit<RetryJobDeps, 'models' | 'store'>,
  jobs: JobTransaction,
  { job }: StoredJob,
  { model, priority }: { readonly model: string | null; readonly priority: JobPriority | null },
): Promise<void> {
  const context = contextOf(deps);
  const atLeastAttempt = await reopenChain(deps.broker, job);
  const moved = advance(job, { type: 'retried', startOver: model !== null, atLeastAttempt }, context);
  if (!moved.ok) {
    const message = `The job is ${job.status}; only a FAILED job can be retried.`;
    throw new InvalidStateError(message, job.status, ['FAILED']);
  }
  // Rare (a deadline passed while a cancel was pending), so it may hold the row for a round trip.
  if (job.cancelRequestedAt !== null) await deps.broker.clearCancel(job.id);
  await jobs.apply([
    {
      job: moved.job,
      at: context.now,
      ...(model === null ? {} : { model, dropSegmentsFrom: 0 }),
      ...(priority === null ? {} : { priority }),
    },
  ]);
}

/**
 * After a broken event the chain may be ahead of the job: the next attempt must come after every attempt on it, and no
 * worker may still run one.
 *
 * @returns the last attempt on the chain; 0 where the job itself tells.
 */
async function reopenChain(broker: Broker, job: Job): Promise<number> {
  if (job.status !== 'FAILED' || !isBrokenChain(job.failure)) return 0;
  await broker.endRun(job.id, { type: 'failed', failure: job.failure, evenIfRunning: true }, job.attempt);
  const rows = { nextAttempt: job.attempt + 1, appliedSequence: Number.MAX_SAFE_INTEGER };
  const attempt = await broker.attemptForTask(job.id, rows);
  if (attempt === null) throw new UnavailableError('The job is being stopped; retry in a moment.');
  return attempt - 1;
}
