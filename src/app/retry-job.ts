import { z } from 'zod';
import { InvalidStateError, NotFoundError, ValidationError } from '../domain/errors.ts';
import { advance } from '../domain/lifecycle.ts';
import { contextOf, type LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { Principal } from '../domain/principal.ts';
import { JOB_PRIORITIES, type JobPriority } from '../domain/vocabulary.ts';
import type { Broker } from '../messaging/broker.ts';
import type { StoredJob } from '../storage/job-rows.ts';
import type { JobStore } from '../storage/job-store.ts';
import type { JobTransaction } from '../storage/job-transaction.ts';
import type { ModelStore } from '../storage/model-store.ts';
import { replayOf } from './submit-job.ts';
import { validate } from './validate.ts';

const RetryJob = z.object({
  id: z.string(),
  model: z.string().min(1).max(100).nullish(),
  priority: z.enum(JOB_PRIORITIES).nullish(),
  idempotencyKey: z.string().min(8).max(128).nullish(),
});

export interface RetryJobPorts extends LifecyclePorts {
  readonly store: JobStore;
  readonly models: ModelStore;
  readonly broker: Broker;
  readonly hash: (text: string) => string;
}

/**
 * Tries a failed job again: the same id, the next attempt, a fresh allowance. It continues at the checkpoint,
 * unless another model is asked for: then the transcript is made anew.
 *
 * @throws NotFoundError, InvalidStateError, ValidationError, IdempotencyError, UnavailableError.
 */
export async function retryJob(
  ports: RetryJobPorts,
  by: Principal,
  raw: RetryJobInput,
): Promise<{ readonly jobId: string; readonly replayed: boolean }> {
  const input = validate(RetryJob, raw, ['input']);
  const now = ports.environment.now();
  const known = input.model == null ? [] : await ports.models.known();
  const claim = await ports.store.transaction(async (jobs) => {
    if (input.idempotencyKey != null) {
      const claimed = await jobs.claimKey({
        tenantId: by.tenantId,
        operation: 'retryJob',
        key: input.idempotencyKey,
        inputHash: ports.hash(JSON.stringify(input)),
        jobId: input.id,
        now,
      });
      if (!claimed.claimed) return claimed;
    }
    const stored = (await jobs.lock([input.id])).get(input.id);
    if (stored === undefined || stored.tenantId !== by.tenantId) {
      throw new NotFoundError('job', input.id, ['input', 'id']);
    }
    const engineModels = known.filter((model) => model.engine === stored.job.engines[0]);
    if (
      input.model != null &&
      engineModels.length > 0 &&
      !engineModels.some((model) => model.name === input.model)
    ) {
      const message = `\`model\` ${input.model} is not known: ${engineModels.map((model) => model.name).join(', ')}.`;
      throw new ValidationError([{ path: ['input', 'model'], rule: 'known', message }]);
    }
    await requeue(ports, jobs, stored, { model: input.model ?? null, priority: input.priority ?? null });
    return { claimed: true as const };
  });
  return claim.claimed ? { jobId: input.id, replayed: false } : { jobId: replayOf(claim), replayed: true };
}

/** @throws InvalidStateError unless the job is FAILED. */
export async function requeue(
  ports: LifecyclePorts & { readonly broker: Pick<Broker, 'clearCancel'> },
  jobs: JobTransaction,
  stored: StoredJob,
  change: {
    readonly model: string | null;
    readonly priority: (typeof JOB_PRIORITIES)[number] | null;
  },
): Promise<void> {
  const { job } = stored;
  const context = contextOf(ports);
  const moved = advance(job, { type: 'retried', startOver: change.model !== null }, context);
  if (!moved.ok) {
    throw new InvalidStateError(`The job is ${job.status}; only a FAILED job can be retried.`, job.status, [
      'FAILED',
    ]);
  }
  // Rare (a deadline passed while a cancel was pending), so it may hold the row for a round trip.
  if (job.cancelRequestedAt !== null) await ports.broker.clearCancel(job.id);
  await jobs.apply([
    {
      ...{ job: moved.job, at: context.now },
      ...(change.model === null ? {} : { model: change.model, dropSegmentsFrom: 0 }),
      ...(change.priority === null ? {} : { priority: change.priority }),
    },
  ]);
}

export interface RetryJobInput {
  readonly id: string;
  readonly model?: string | null | undefined;
  readonly priority?: JobPriority | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}
