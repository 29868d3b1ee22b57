import { watchControl } from '../../src/messaging/control.ts';
import type { Delivery } from '../../src/messaging/pull-task.ts';
import type { Logger } from '../../src/observability/logger.ts';
import type { WorkerContext } from '../worker-context.ts';
import { type AttemptEnd, claimJob } from './claim-task.ts';
import { ChainLostError, type EventDraft, type EventPublisher, FencedError } from './event-publisher.ts';
import { Lease } from './lease.ts';
import { ProgressPublisher } from './progress-publisher.ts';
import { AttemptTimeoutError, CanceledError, failureOf, NO_SPEECH, ReleasedError } from './run-failure.ts';
import { SegmentPublisher } from './segment-publisher.ts';
import type { Run, Transcribed } from './transcribe.ts';
import { transcribeSource } from './transcribe-source.ts';
import { transcribeWav } from './transcribe-wav.ts';
import { attemptDirectory } from './work-directory.ts';

/** Node's timers fire at once above this. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

type EndingDraft = Extract<EventDraft, { type: 'completed' | 'failed' | 'canceled' | 'released' }>;

/**
 * One order, from its delivery to its end: claim the job, transcribe, store the outcome, and only then
 * acknowledge. A run that may have lost its job ends without a word.
 */
export async function runAttempt(delivery: Delivery, context: WorkerContext): Promise<AttemptEnd> {
  const { task } = delivery;
  const log = context.log.child({ jobId: task.jobId, task: delivery.sequence });
  const stop = new AbortController();
  const fence = new AbortController();
  // Before anything is read, so that no cancel falls between the reading and the watching.
  const onCancel = () => stop.abort(new CanceledError('canceled'));
  const control = watchControl(context.nc, task.jobId, onCancel);
  let lease: Lease | null = null;
  try {
    const claimed = await claimJob({
      delivery,
      context,
      log,
      fence: fence.signal,
      onConfirmed: (sentAt) => lease?.confirm(sentAt),
      isCanceled: () => stop.signal.aborted,
    });
    if (typeof claimed === 'string') return claimed;
    const { runId } = claimed;
    lease = new Lease({ nc: context.nc, delivery, runId, fence, timing: context.timing, log, onCancel });
    lease.start();
    return await execute(claimed, { delivery, context, log, stop, fence });
  } catch (error) {
    const lost = fence.signal.aborted || error instanceof ChainLostError || error instanceof FencedError;
    // Without an answer, JetStream delivers the task again after a while, here or elsewhere.
    if (lost) log.warn({ err: error }, 'run dropped: the job may be somebody else’s by now');
    else log.error({ err: error }, 'task left alone after a fault');
    return 'left';
  } finally {
    lease?.stop();
    control.stop();
  }
}

interface Attempt {
  readonly delivery: Delivery;
  readonly context: WorkerContext;
  readonly log: Logger;
  readonly stop: AbortController;
  readonly fence: AbortController;
}

async function execute(events: EventPublisher, attempt: Attempt): Promise<AttemptEnd> {
  const { delivery, context, log, stop, fence } = attempt;
  const { task } = delivery;
  const onRelease = () => stop.abort(new ReleasedError('the worker shuts down'));
  if (context.release.aborted) onRelease();
  context.release.addEventListener('abort', onRelease, { once: true });
  const { runTimeoutMs } = task.limits;
  const timeout = setTimeout(
    () => stop.abort(new AttemptTimeoutError(runTimeoutMs)),
    Math.min(runTimeoutMs, LONGEST_TIMER_MS),
  );
  const progress = new ProgressPublisher({
    nc: context.nc,
    jobId: task.jobId,
    attempt: events.attempt,
    runId: events.runId,
    startMs: events.checkpoint.checkpointMs,
    usualRate: context.speed.rateOf(task.options.model),
    timing: context.timing,
  });
  try {
    progress.start();
    const fail = (error: unknown) => stop.abort(error);
    const segments = new SegmentPublisher(events, context.timing, fail);
    const signal = AbortSignal.any([stop.signal, fence.signal]);
    const { audio, pieceMs } = context;
    const { engineAbortMs } = context.timing;
    const run = { task, audio, pieceMs, events, segments, progress, signal, fail, engineAbortMs };
    const end = await transcribe(run, attempt);
    await finish(end, attempt);
    log.info({ attempt: events.attempt, end: end.type }, 'attempt ended');
    return end.type;
  } finally {
    clearTimeout(timeout);
    context.release.removeEventListener('abort', onRelease);
    progress.stop();
  }
}

/** Runs the engine, stores everything it found, and stores how it ended. */
async function transcribe(
  parts: Omit<Run, 'directory'>,
  { context, stop, fence, log }: Attempt,
): Promise<EndingDraft> {
  const { engine } = context;
  const directory = attemptDirectory(context.workDirectory, parts.events.runId);
  const run: Run = { ...parts, directory: directory.path };
  const startMs = run.events.checkpoint.checkpointMs;
  let end: EndingDraft;
  try {
    await directory.make();
    const done =
      engine.input === 'wav' ? await transcribeWav(engine, run) : await transcribeSource(engine, run);
    run.signal.throwIfAborted();
    context.speed.record(run.task.options.model, done.durationMs - startMs, done.computeMs);
    end = run.segments.count === 0 ? failed(NO_SPEECH, done.requestId) : completed(done);
  } catch (error) {
    fence.signal.throwIfAborted();
    const reason = stop.signal.aborted ? stop.signal.reason : error;
    if (reason instanceof ChainLostError || reason instanceof FencedError) throw reason;
    end = endFor(reason);
    if (end.type === 'failed') log.warn({ err: reason, failure: end.failure }, 'attempt failed');
  } finally {
    await directory.remove();
  }
  // What was found before a failure stays: the next attempt continues after it.
  const checkpoint = await run.segments.finish();
  await run.events.publish(end, checkpoint);
  return end;
}

function endFor(reason: unknown): EndingDraft {
  if (reason instanceof CanceledError) return { type: 'canceled' };
  if (reason instanceof ReleasedError) return { type: 'released' };
  const { failure, requestId } = failureOf(reason);
  return failed(failure, requestId);
}

function failed(failure: ReturnType<typeof failureOf>['failure'], requestId: string | null): EndingDraft {
  return { type: 'failed', failure, requestId };
}

function completed(done: Transcribed): EndingDraft {
  const { languageConfidence, durationMs, computeMs, requestId, model } = done;
  return { type: 'completed', languageConfidence, durationMs, computeMs, requestId, model };
}

/** The outcome is stored; only now may the task go. */
async function finish(end: EndingDraft, { delivery, log }: Attempt): Promise<void> {
  if (end.type === 'released') await delivery.nak();
  else if (!(await delivery.ack())) log.info('task not acknowledged; its next delivery is forgotten');
}
