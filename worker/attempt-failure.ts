import type { Failure } from '../src/domain/vocabulary.ts';
import { EngineError } from './engines/engine.ts';

/** The user, through the server, asked the run to stop. */
export class CanceledError extends Error {
  override readonly name = 'CanceledError';
}

/** The worker shuts down. */
export class ReleasedError extends Error {
  override readonly name = 'ReleasedError';
}

/** The attempt took longer than its order allows. */
export class AttemptTimeoutError extends Error {
  override readonly name = 'AttemptTimeoutError';
  readonly timeoutMs: number;
  constructor(timeoutMs: number) {
    super(`the attempt took longer than ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

export const NO_SPEECH: Failure = {
  kind: 'NO_SPEECH',
  code: 'NO_SPEECH',
  message: 'No speech was found in the recording. Check that it is the right file and that it is not silent.',
  retryable: false,
};

/** What the job's owner and the operator are told of an error that ended a run. */
export function failureOf(error: unknown): {
  readonly failure: Failure;
  readonly requestId: string | null;
} {
  if (error instanceof EngineError) {
    return { failure: withinLimits(error.failure), requestId: error.requestId };
  }
  if (error instanceof AttemptTimeoutError) {
    const failure: Failure = {
      kind: 'TIMEOUT',
      code: 'ATTEMPT_TIMEOUT',
      message: `The attempt was stopped after ${Math.round(error.timeoutMs / 1000)} s, the longest an attempt may take. The next one continues where it stopped.`,
      retryable: true,
    };
    return { failure, requestId: null };
  }
  const failure: Failure = {
    kind: 'INTERNAL',
    code: 'WORKER_FAULT',
    message: "The worker hit a fault of its own. The worker's log has the details.",
    retryable: true,
    detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
  return { failure: withinLimits(failure), requestId: null };
}

/** The wire's limits hold for engines from outside, too. */
function withinLimits(failure: Failure): Failure {
  const { retryAfterMs, detail } = failure;
  return {
    ...failure,
    code: failure.code.slice(0, 64) || 'UNKNOWN',
    message: failure.message.slice(0, 1000) || 'The engine gave no reason.',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.max(0, Math.round(retryAfterMs)) }),
    ...(detail === undefined ? {} : { detail: detail.slice(0, 4096) }),
  };
}
