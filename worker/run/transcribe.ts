import { mkdir, rm } from 'node:fs/promises';
import type { Failure } from '../../src/domain/vocabulary.ts';
import type { Logger } from '../../src/observability/logger.ts';
import type { WorkerContext } from '../worker-context.ts';
import type { Run, Transcribed } from './engine-call.ts';
import { ChainLostError, type EventDraft, FencedError } from './event-publisher.ts';
import { CanceledError, failureOf, NO_SPEECH, ReleasedError } from './run-failure.ts';
import { transcribeSource } from './transcribe-source.ts';
import { transcribeWav } from './transcribe-wav.ts';

/** The last event of a run. */
export type RunEnding = Extract<EventDraft, { type: 'completed' | 'failed' | 'canceled' | 'released' }>;

/**
 * Runs the engine and stores all that it found and how the run ended.
 *
 * @param stop Its reason is why the run ended early.
 * @throws ChainLostError, FencedError: nothing more may be stored.
 */
export async function transcribe(
  run: Run,
  { engine, speed }: WorkerContext,
  signals: { readonly stop: AbortSignal; readonly fence: AbortSignal },
  log: Logger,
): Promise<RunEnding> {
  const startMs = run.events.checkpoint.checkpointMs;
  let ending: RunEnding;
  try {
    await mkdir(run.directory, { recursive: true, mode: 0o700 });
    const done =
      engine.input === 'wav' ? await transcribeWav(engine, run) : await transcribeSource(engine, run);
    run.signal.throwIfAborted();
    speed.record(run.task.options.model, done.durationMs - startMs, done.computeMs);
    ending = run.segments.count === 0 ? failed(NO_SPEECH, done.requestId) : completed(done);
  } catch (error) {
    signals.fence.throwIfAborted();
    const reason = signals.stop.aborted ? signals.stop.reason : error;
    if (reason instanceof ChainLostError || reason instanceof FencedError) throw reason;
    ending = endingFor(reason);
    if (ending.type === 'failed') log.warn({ err: reason, failure: ending.failure }, 'run failed');
  } finally {
    await rm(run.directory, { recursive: true, force: true, maxRetries: 3 });
  }
  // The segments before a failure stay: the next attempt continues after them.
  const checkpoint = await run.segments.finish();
  await run.events.publish(ending, checkpoint);
  return ending;
}

function endingFor(reason: unknown): RunEnding {
  if (reason instanceof CanceledError) return { type: 'canceled' };
  if (reason instanceof ReleasedError) return { type: 'released' };
  const { failure, requestId } = failureOf(reason);
  return failed(failure, requestId);
}

function failed(failure: Failure, requestId: string | null): RunEnding {
  return { type: 'failed', failure, requestId };
}

function completed(done: Transcribed): RunEnding {
  const { languageConfidence, durationMs, requestId, model } = done;
  const computeMs = Math.round(done.computeMs);
  return { type: 'completed', languageConfidence, durationMs, computeMs, requestId, model };
}
