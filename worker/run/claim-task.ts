import { randomUUID } from 'node:crypto';
import { poisonFailure } from '../../src/domain/job-endings.ts';
import { DEFAULT_MODEL } from '../../src/domain/vocabulary.ts';
import { readControl } from '../../src/messaging/control.ts';
import { readLastFact } from '../../src/messaging/chain.ts';
import { hearRun } from '../../src/messaging/live.ts';
import type { Delivery } from '../../src/messaging/pull-task.ts';
import type { Logger } from '../../src/observability/logger.ts';
import { type Decision, decideAttempt, type RunPlan } from './decide-run.ts';
import { FactPublisher } from './event-publisher.ts';
import type { WorkerContext } from '../worker-context.ts';

/** How an order ended here. `left`: somebody else has the job, or will get it; it was not acknowledged. */
export type AttemptEnd = 'completed' | 'failed' | 'canceled' | 'released' | 'forgotten' | 'left';

export interface ClaimRequest {
  readonly delivery: Delivery;
  readonly context: WorkerContext;
  readonly log: Logger;
  readonly fence: AbortSignal;
  readonly onConfirmed: (sentAt: number) => void;
  /** Whether a cancel came while the job was claimed. */
  readonly isCanceled: () => boolean;
}

/** Two runs may follow on each other while one listens; more is a job in trouble. */
const MAX_ROUNDS = 4;

/**
 * Decides about an order and, when this worker shall run it, begins the run's chain with `started`.
 *
 * @throws ChainLostError when another worker was faster; FencedError.
 */
export async function claimJob(request: ClaimRequest): Promise<FactPublisher | AttemptEnd> {
  const { delivery, context, log } = request;
  let listened: { readonly instance: string; readonly heard: boolean } | null = null;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const { jobId } = delivery.order;
    const [last, control] = await Promise.all([
      readLastFact(context.nc, jobId),
      readControl(context.nc, jobId),
    ]);
    const known: boolean | null =
      listened?.instance === last?.fact.instance ? (listened?.heard ?? null) : null;
    const decision = decideAttempt({
      order: delivery.order,
      deliveredCount: delivery.deliveredCount,
      last,
      cancelRequested: control !== null || request.isCanceled(),
      otherRun: known === null ? 'unknown' : known ? 'alive' : 'silent',
    });
    if (decision.action !== 'lookForLife') return carryOut(decision, request);
    const instance = last?.fact.instance ?? '';
    const heard = await hearRun(context.nc, { jobId, instance }, context.timing.lookForLifeMs);
    log.info({ instance, heard }, 'the job has a run that did not end');
    listened = { instance, heard };
  }
  return 'left';
}

async function carryOut(
  decision: Exclude<Decision, { readonly action: 'lookForLife' }>,
  request: ClaimRequest,
): Promise<FactPublisher | AttemptEnd> {
  const { delivery, context, log } = request;
  const { order } = delivery;
  switch (decision.action) {
    case 'forget':
      log.info({ reason: decision.reason }, 'order is of no use any more');
      await delivery.ack();
      return 'forgotten';
    case 'leave':
      log.info({ reason: decision.reason }, 'order left alone');
      return 'left';
    case 'cancel':
      await begin(decision.plan, request).publish({ type: 'canceled' });
      await delivery.ack();
      return 'canceled';
    case 'giveUp': {
      const facts = await start(decision.plan, request);
      const failure = poisonFailure(decision.plan.lostAttempts);
      await facts.publish({ type: 'failed', failure, requestId: null });
      log.error({ lostAttempts: decision.plan.lostAttempts }, 'job given up: it lost its worker too often');
      await delivery.ack();
      return 'failed';
    }
    case 'run':
      log.info({ attempt: decision.plan.attempt, model: order.options.model }, 'attempt starts');
      return start(decision.plan, request);
  }

  async function start(plan: RunPlan, from: ClaimRequest): Promise<FactPublisher> {
    const facts = begin(plan, from);
    const model = order.options.model === DEFAULT_MODEL ? context.defaultModel : order.options.model;
    await facts.publish({ type: 'started', workerId: context.workerId, engine: order.engine, model });
    return facts;
  }
}

function begin(plan: RunPlan, { delivery, context, log, fence, onConfirmed }: ClaimRequest): FactPublisher {
  return new FactPublisher({
    nc: context.nc,
    log,
    jobId: delivery.order.jobId,
    instance: randomUUID(),
    plan,
    timing: context.timing,
    fence,
    onConfirmed,
  });
}
