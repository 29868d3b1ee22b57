import { randomUUID } from 'node:crypto';
import { poisonFailure } from '../../src/domain/job-endings.ts';
import { DEFAULT_MODEL } from '../../src/domain/vocabulary.ts';
import { isRunActive, readChainEnd } from '../../src/messaging/chain.ts';
import { readControl } from '../../src/messaging/control.ts';
import type { Delivery } from '../../src/messaging/pull-task.ts';
import type { Logger } from '../../src/observability/logger.ts';
import type { WorkerContext } from '../worker-context.ts';
import { type Decision, decideAttempt, type RunPlan } from './decide-run.ts';
import { EventPublisher } from './event-publisher.ts';

/** How a task ended here. `left`: somebody else has the job, or will get it; it was not acknowledged. */
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
 * Decides about a task and, when this worker shall run it, begins the run's chain with `started`.
 *
 * @throws ChainLostError when another worker was faster; FencedError.
 */
export async function claimJob(request: ClaimRequest): Promise<EventPublisher | AttemptEnd> {
  const { delivery, context, log } = request;
  let listened: { readonly runId: string; readonly heard: boolean } | null = null;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const { jobId } = delivery.task;
    const [last, control] = await Promise.all([
      readChainEnd(context.nc, jobId),
      readControl(context.nc, jobId),
    ]);
    const known: boolean | null = listened?.runId === last?.event?.runId ? (listened?.heard ?? null) : null;
    const decision = decideAttempt({
      task: delivery.task,
      deliveredCount: delivery.deliveredCount,
      last,
      cancelRequested: control !== null || request.isCanceled(),
      otherRun: known === null ? 'unknown' : known ? 'alive' : 'silent',
    });
    if (decision.action !== 'lookForLife') return carryOut(decision, request);
    const runId = last?.event?.runId ?? '';
    const heard = await isRunActive(context.nc, { jobId, runId }, context.timing.lookForLifeMs);
    log.info({ runId, heard }, 'the job has a run that did not end');
    listened = { runId, heard };
  }
  return 'left';
}

async function carryOut(
  decision: Exclude<Decision, { readonly action: 'lookForLife' }>,
  request: ClaimRequest,
): Promise<EventPublisher | AttemptEnd> {
  const { delivery, context, log } = request;
  const { task } = delivery;
  switch (decision.action) {
    case 'forget':
      log.info({ reason: decision.reason }, 'task is of no use any more');
      await delivery.ack();
      return 'forgotten';
    case 'leave':
      log.info({ reason: decision.reason }, 'task left alone');
      return 'left';
    case 'cancel':
      await begin(decision.plan, request).publish({ type: 'canceled' });
      await delivery.ack();
      return 'canceled';
    case 'giveUp': {
      const events = await start(decision.plan, request);
      const failure = poisonFailure(decision.plan.lostRuns);
      await events.publish({ type: 'failed', failure, requestId: null });
      log.error({ lostRuns: decision.plan.lostRuns }, 'job given up: it lost its worker too often');
      await delivery.ack();
      return 'failed';
    }
    case 'run':
      log.info({ attempt: decision.plan.attempt, model: task.options.model }, 'attempt starts');
      return start(decision.plan, request);
  }

  async function start(plan: RunPlan, from: ClaimRequest): Promise<EventPublisher> {
    const events = begin(plan, from);
    const model = task.options.model === DEFAULT_MODEL ? context.defaultModel : task.options.model;
    await events.publish({ type: 'started', workerId: context.workerId, engine: task.engine, model });
    return events;
  }
}

function begin(plan: RunPlan, { delivery, context, log, fence, onConfirmed }: ClaimRequest): EventPublisher {
  return new EventPublisher({
    nc: context.nc,
    log,
    jobId: delivery.task.jobId,
    runId: randomUUID(),
    plan,
    timing: context.timing,
    fence,
    onConfirmed,
  });
}
