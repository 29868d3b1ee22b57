import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { poisonFailure } from '../../src/domain/failures.ts';
import { DEFAULT_MODEL } from '../../src/domain/transcription-options.ts';
import { isRunActive, readChainEnd } from '../../src/messaging/chain.ts';
import { readControl, watchControl } from '../../src/messaging/control.ts';
import type { Delivery } from '../../src/messaging/pull-task.ts';
import type { Logger } from '../../src/observability/logger.ts';
import { onAbort } from '../../src/process/wait.ts';
import type { WorkerContext } from '../worker-context.ts';
import { type Decision, decideRun, type RunPlan } from './decide-run.ts';
import { ChainLostError, EventPublisher, FencedError } from './event-publisher.ts';
import { Lease } from './lease.ts';
import { ProgressPublisher } from './progress-publisher.ts';
import { CanceledError, ReleasedError, RunTimeoutError } from './run-failure.ts';
import { SegmentPublisher } from './segment-publisher.ts';
import { type RunEnding, transcribe } from './transcribe.ts';

/** `dropped`: the task was void. `left`: another worker has the job, or gets it; nothing was acknowledged. */
export type TaskEnd = RunEnding['type'] | 'dropped' | 'left';

/** One delivery in hand. */
interface Work {
  readonly delivery: Delivery;
  readonly context: WorkerContext;
  readonly log: Logger;
  readonly runId: string;
  readonly lease: Lease;
  /** Ends the run, which then stores its end: after a cancel, a timeout, a shutdown, a failed publication. */
  readonly stop: AbortController;
  /** Ends the run without another event: it may have lost its job. */
  readonly fence: AbortController;
}

/** Between two checks another run may start; more than a few times means that the job is in trouble. */
const MAX_CHECKS = 4;
/** Node's timers fire at once above this. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * One task, from its delivery to its end: claim the job, transcribe, store how the run ended, and only then
 * acknowledge.
 */
export async function runTask(delivery: Delivery, context: WorkerContext): Promise<TaskEnd> {
  const { jobId } = delivery.task;
  const { nc, timing } = context;
  const log = context.log.child({ jobId, task: delivery.sequence });
  const runId = randomUUID();
  const stop = new AbortController();
  const fence = new AbortController();
  const onCancel = () => stop.abort(new CanceledError('canceled'));
  // Before anything is read, so that no cancel falls in between.
  const control = watchControl(nc, jobId, onCancel);
  const lease = new Lease({ nc, delivery, runId, fence, timing, log, onCancel });
  const work: Work = { delivery, context, log, runId, lease, stop, fence };
  try {
    const claimed = await claim(work);
    if (typeof claimed === 'string') return claimed;
    lease.start();
    return await run(claimed, work);
  } catch (error) {
    const isLost = fence.signal.aborted || error instanceof ChainLostError || error instanceof FencedError;
    // JetStream delivers the task again after a while, here or elsewhere.
    if (isLost) log.warn({ err: error }, 'run ended: another worker may have the job');
    else log.error({ err: error }, 'task left after an unexpected error');
    return 'left';
  } finally {
    lease.stop();
    control.stop();
  }
}

/**
 * Decides about the task. Where this worker is to run it, the run's chain begins with `started`.
 *
 * @throws ChainLostError when another worker was faster; FencedError.
 */
async function claim(work: Work): Promise<EventPublisher | TaskEnd> {
  const { delivery, context, log, stop } = work;
  const { task, deliveredCount } = delivery;
  const { nc, timing } = context;
  let checked: { readonly runId: string; readonly isActive: boolean } | null = null;
  for (let checks = 0; checks < MAX_CHECKS; checks += 1) {
    const [last, control] = await Promise.all([readChainEnd(nc, task.jobId), readControl(nc, task.jobId)]);
    const otherRunId: string = last?.event?.runId ?? '';
    const decision = decideRun({
      task,
      deliveredCount,
      last,
      cancelRequested: control !== null || stop.signal.aborted,
      isOtherRunActive: checked?.runId === otherRunId ? checked.isActive : null,
    });
    if (decision.action !== 'checkActivity') return carryOut(decision, work);
    const otherRun = { jobId: task.jobId, runId: otherRunId };
    checked = { runId: otherRunId, isActive: await isRunActive(nc, otherRun, timing.activityCheckMs) };
    log.info(checked, 'the job has a run that did not end');
  }
  return 'left';
}

async function carryOut(
  decision: Exclude<Decision, { readonly action: 'checkActivity' }>,
  work: Work,
): Promise<EventPublisher | TaskEnd> {
  const { delivery, log } = work;
  switch (decision.action) {
    case 'drop':
      log.info({ reason: decision.reason }, 'task dropped');
      await delivery.ack();
      return 'dropped';
    case 'leave':
      log.info({ reason: decision.reason }, 'task left');
      return 'left';
    case 'cancel':
      await publisher(decision.plan, work).publish({ type: 'canceled' });
      await delivery.ack();
      return 'canceled';
    case 'fail': {
      const { lostRuns } = decision.plan;
      const events = await start(decision.plan, work);
      await events.publish({ type: 'failed', failure: poisonFailure(lostRuns), requestId: null });
      log.error({ lostRuns }, 'job failed: it lost too many runs');
      await delivery.ack();
      return 'failed';
    }
    case 'run':
      return start(decision.plan, work);
  }
}

async function start(plan: RunPlan, work: Work): Promise<EventPublisher> {
  const { workerId, defaultModel } = work.context;
  const { engine, options } = work.delivery.task;
  const model = options.model === DEFAULT_MODEL ? defaultModel : options.model;
  const events = publisher(plan, work);
  await events.publish({ type: 'started', workerId, engine, model });
  work.log.info({ attempt: plan.attempt, runId: work.runId, model }, 'run started');
  return events;
}

function publisher(plan: RunPlan, { delivery, context, log, runId, lease, fence }: Work): EventPublisher {
  return new EventPublisher({
    nc: context.nc,
    log,
    jobId: delivery.task.jobId,
    runId,
    plan,
    timing: context.timing,
    fence: fence.signal,
    onConfirmed: (sentAt) => lease.confirm(sentAt),
  });
}

async function run(events: EventPublisher, work: Work): Promise<TaskEnd> {
  const { delivery, context, log, runId, stop, fence } = work;
  const { task } = delivery;
  const { nc, timing, audio, pieceMs } = context;
  const { runTimeoutMs } = task.limits;
  const fail = (error: unknown) => stop.abort(error);
  const keepOnRelease = onAbort(context.release, () => fail(new ReleasedError('the worker shuts down')));
  const timeout = setTimeout(
    () => fail(new RunTimeoutError(runTimeoutMs)),
    Math.min(runTimeoutMs, LONGEST_TIMER_MS),
  );
  const { attempt, checkpoint } = events;
  const usualRate = context.speed.rateOf(task.options.model);
  const startMs = checkpoint.checkpointMs;
  const progress = new ProgressPublisher({
    ...{ nc, jobId: task.jobId, attempt, runId, startMs, usualRate, timing },
  });
  const segments = new SegmentPublisher(events, timing, fail);
  const signal = AbortSignal.any([stop.signal, fence.signal]);
  const directory = join(context.workDirectory, runId);
  const { engineAbortMs } = timing;
  try {
    progress.start();
    const ending = await transcribe(
      { task, audio, directory, pieceMs, events, segments, progress, signal, fail, engineAbortMs },
      context,
      { stop: stop.signal, fence: fence.signal },
      log,
    );
    // The end is stored; only now may the task go.
    if (ending.type === 'released') await delivery.nak();
    else if (!(await delivery.ack())) log.info('task not acknowledged; its next delivery is dropped');
    log.info({ attempt, end: ending.type }, 'run ended');
    return ending.type;
  } finally {
    clearTimeout(timeout);
    keepOnRelease();
    progress.stop();
  }
}
