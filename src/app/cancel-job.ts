import { z } from 'zod';
import type { EventMessage } from '../contract/messages.ts';
import { admissionOf } from '../domain/job.ts';
import { advance } from '../domain/lifecycle.ts';
import { contextOf, type LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { Principal } from '../domain/principal.ts';
import { optional, validate } from '../domain/validate.ts';
import { isFinal } from '../domain/vocabulary.ts';
import type { Broker } from '../messaging/broker.ts';
import type { Logger } from '../observability/logger.ts';
import type { Storage } from '../storage/open-storage.ts';
import { applyEvent } from './apply-event.ts';

export const CancelJobInput = z.object({ id: z.string(), reason: optional(z.string().max(200)) });
export type CancelJobInput = z.input<typeof CancelJobInput>;

/** CANCELED: it had not started. REQUESTED: a worker has it and will stop. */
export type CancelOutcome = 'CANCELED' | 'REQUESTED' | 'ALREADY_FINAL';

export interface CancelJobDeps extends Pick<Storage, 'store'>, LifecyclePorts {
  readonly broker: Broker;
  readonly log: Logger;
}

/**
 * Stops a job in whatever state it is. In two phases, so that it works while NATS or the worker is away: the request is
 * stored first; then the job ends at once if no worker has it, else its worker gets a message. The reconciler repeats
 * what the broker could not take.
 *
 * @throws NotFoundError, ValidationError, UnavailableError.
 */
export async function cancelJob(
  deps: CancelJobDeps,
  by: Principal,
  input: CancelJobInput,
): Promise<CancelOutcome> {
  const { id, reason } = validate(CancelJobInput, input, ['input']);
  const outcome = await deps.store.transaction(async (jobs): Promise<CancelOutcome> => {
    const { job } = await jobs.lockOwn(by.tenantId, id);
    const context = contextOf(deps);
    const moved = advance(job, { type: 'cancelRequested' }, context);
    if (!moved.ok) return 'ALREADY_FINAL';
    const isFirst = job.cancelRequestedAt === null;
    const update = { job: moved.job, at: context.now, ...(isFirst ? { cancelReason: reason } : {}) };
    if (moved.job !== job) await jobs.apply([update]);
    return moved.job.status === 'CANCELED' ? 'CANCELED' : 'REQUESTED';
  });
  if (outcome !== 'REQUESTED') return outcome;
  try {
    return await deliverCancel(deps, id);
  } catch (err) {
    deps.log.warn(
      { err, jobId: id },
      'could not pass a cancellation to the broker; the reconciler repeats it',
    );
    return 'REQUESTED';
  }
}

/**
 * The second phase, which may be repeated at will: ends the job on its event chain if no worker has begun, else sends
 * its worker a message. The chain decides between the two, so either the cancel or the start wins.
 */
export async function deliverCancel(deps: Omit<CancelJobDeps, 'log'>, jobId: string): Promise<CancelOutcome> {
  const stored = await deps.store.transaction(async (jobs) => (await jobs.lock([jobId])).get(jobId));
  if (stored === undefined || isFinal(stored.job.status)) return 'ALREADY_FINAL';
  const requestedAt = stored.job.cancelRequestedAt;
  if (requestedAt === null) return 'ALREADY_FINAL';
  if (stored.job.status === 'QUEUED') {
    const end = await deps.broker.endRun(jobId, { type: 'canceled' }, stored.job.attempt);
    if (end.ended) {
      await storeServerEnd(deps, end.event);
      const sequence = admissionOf(stored.job)?.taskSequence ?? null;
      if (sequence !== null) await deps.broker.deleteTask(sequence);
      return 'CANCELED';
    }
  }
  await deps.broker.requestCancel(jobId, requestedAt, stored.cancelReason);
  return 'REQUESTED';
}

/** Stores an end that the server put on the chain itself, ahead of the projector. */
export async function storeServerEnd(
  deps: Pick<CancelJobDeps, 'store' | 'environment' | 'lifecycle'>,
  event: EventMessage,
): Promise<void> {
  await deps.store.transaction(async (jobs) => {
    const stored = (await jobs.lock([event.jobId])).get(event.jobId);
    if (stored === undefined) return;
    const applied = applyEvent(stored.job, event, new Date(event.at), contextOf(deps));
    // A refusal means that the projector was faster, or has to apply other events first; it does the rest.
    if (applied.ok) await jobs.apply([applied.update]);
  });
}
