import { z } from 'zod';
import type { EventMessage } from '../contract/messages.ts';
import { NotFoundError } from '../domain/errors.ts';
import { admissionOf } from '../domain/job.ts';
import { advance } from '../domain/lifecycle.ts';
import { contextOf, type LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { Principal } from '../domain/principal.ts';
import { isFinal } from '../domain/vocabulary.ts';
import type { Broker } from '../messaging/broker.ts';
import type { JobStore } from '../storage/job-store.ts';
import { applyEvent } from './apply-event.ts';
import { validate } from './validate.ts';

const CancelJob = z.object({
  reason: z
    .string()
    .max(200)
    .nullish()
    .transform((value) => value ?? null),
});

export interface CancelJobPorts extends LifecyclePorts {
  readonly store: JobStore;
  readonly broker: Broker;
}

/**
 * Stops a job wherever it is. In two phases, so that it holds while NATS or the worker is away: the wish is
 * stored first; then the job ends at once if no worker has it, else its worker is told. What can't be said
 * to the broker now, the reconciler says later.
 *
 * @throws NotFoundError, ValidationError, UnavailableError.
 */
export async function cancelJob(
  ports: CancelJobPorts,
  by: Principal,
  input: CancelJobInput,
): Promise<{ readonly outcome: CancelOutcome; readonly brokerError: unknown }> {
  const { reason } = validate(CancelJob, input, ['input']);
  const first = await ports.store.transaction(async (jobs): Promise<CancelOutcome> => {
    const stored = (await jobs.lock([input.id])).get(input.id);
    if (stored === undefined || stored.tenantId !== by.tenantId) {
      throw new NotFoundError('job', input.id, ['input', 'id']);
    }
    const context = contextOf(ports);
    const moved = advance(stored.job, { type: 'cancelRequested' }, context);
    if (!moved.ok) return 'ALREADY_FINAL';
    const isFirst = stored.job.cancelRequestedAt === null;
    const update = { job: moved.job, at: context.now, ...(isFirst ? { cancelReason: reason } : {}) };
    if (moved.job !== stored.job) await jobs.apply([update]);
    return moved.job.status === 'CANCELED' ? 'CANCELED' : 'REQUESTED';
  });
  if (first !== 'REQUESTED') return { outcome: first, brokerError: null };
  try {
    return { outcome: await pressCancel(ports, input.id), brokerError: null };
  } catch (brokerError) {
    return { outcome: 'REQUESTED', brokerError };
  }
}

/**
 * The second phase, which may be repeated at will: end the job on its event chain if no worker has begun, else tell the
 * worker. The chain decides between the two, so that cancel and start have one winner.
 */
export async function pressCancel(ports: CancelJobPorts, jobId: string): Promise<CancelOutcome> {
  const stored = await ports.store.transaction(async (jobs) => (await jobs.lock([jobId])).get(jobId));
  if (stored === undefined || isFinal(stored.job.status)) return 'ALREADY_FINAL';
  const requestedAt = stored.job.cancelRequestedAt;
  if (requestedAt === null) return 'ALREADY_FINAL';
  if (stored.job.status === 'QUEUED') {
    const end = await ports.broker.endRun(jobId, { type: 'canceled' }, stored.job.attempt);
    if (end.ended) {
      await storeServerEnd(ports, end.event);
      const sequence = admissionOf(stored.job)?.taskSequence ?? null;
      if (sequence !== null) await ports.broker.deleteTask(sequence);
      return 'CANCELED';
    }
  }
  await ports.broker.requestCancel(jobId, requestedAt, stored.cancelReason);
  return 'REQUESTED';
}

/** Stores an end that the server put on the chain itself, without waiting for the projector to come by. */
export async function storeServerEnd(
  ports: Pick<CancelJobPorts, 'store' | 'environment' | 'lifecycle'>,
  event: EventMessage,
): Promise<void> {
  await ports.store.transaction(async (jobs) => {
    const stored = (await jobs.lock([event.jobId])).get(event.jobId);
    if (stored === undefined) return;
    const applied = applyEvent(stored.job, event, contextOf(ports));
    // A refusal means that the projector was faster, or has events to apply before this one: it does the rest.
    if (applied.ok) await jobs.apply([applied.update]);
  });
}

export interface CancelJobInput {
  readonly id: string;
  readonly reason?: string | null | undefined;
}

/** CANCELED: it had not started. REQUESTED: a worker has it and will let go. */
export type CancelOutcome = 'CANCELED' | 'REQUESTED' | 'ALREADY_FINAL';
