import { FailureMessage } from '../../src/contract/messages.ts';
import { firstChars } from '../../src/domain/cut-text.ts';
import { FAILURE_KINDS, type Failure } from '../../src/domain/vocabulary.ts';

/** A user canceled the job. */
export class CanceledError extends Error {
  override readonly name = 'CanceledError';
}

/** The worker shuts down. */
export class ReleasedError extends Error {
  override readonly name = 'ReleasedError';
}

/** The run took longer than its task allows. */
export class RunTimeoutError extends Error {
  override readonly name = 'RunTimeoutError';
  readonly timeoutMs: number;
  constructor(timeoutMs: number) {
    super(`the run took longer than ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

export const NO_SPEECH: Failure = {
  kind: 'NO_SPEECH',
  code: 'NO_SPEECH',
  message: 'No speech was found in the recording. Check that it is the right file and that it is not silent.',
  retryable: false,
};

/** What the job's owner and the operator get to read about an error that ended a run. */
export function failureOf(error: unknown): {
  readonly failure: Failure;
  readonly requestId: string | null;
} {
  const byEngine = failureByEngine(error);
  if (byEngine !== null) return byEngine;
  if (error instanceof RunTimeoutError) {
    const failure: Failure = {
      kind: 'TIMEOUT',
      code: 'ATTEMPT_TIMEOUT',
      message: `The attempt was stopped after its time limit of ${Math.round(error.timeoutMs / 1000)} s. The next attempt continues where it stopped.`,
      retryable: true,
    };
    return { failure, requestId: null };
  }
  const failure: Failure = {
    kind: 'INTERNAL',
    code: 'WORKER_FAULT',
    message: "An unexpected error occurred in the worker. The worker's log has the details.",
    retryable: true,
    detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
  return { failure: withinLimits(failure), requestId: null };
}

/** An engine from outside cannot import our class; its errors have the same name and fields. */
function failureByEngine(
  error: unknown,
): { readonly failure: Failure; readonly requestId: string | null } | null {
  if (!(error instanceof Error) || error.name !== 'EngineError' || !('failure' in error)) return null;
  const { failure } = error;
  if (typeof failure !== 'object' || failure === null) return null;
  const parsed = FailureMessage.safeParse(withinLimits({ ...NO_REASON, ...failure }));
  const isKnown = 'kind' in failure && FAILURE_KINDS.some((kind) => kind === failure.kind);
  if (!parsed.success || !isKnown) return null;
  const requestId = 'requestId' in error && typeof error.requestId === 'string' ? error.requestId : null;
  return { failure: parsed.data, requestId };
}

const NO_REASON: Failure = {
  kind: 'INTERNAL',
  code: 'UNKNOWN',
  message: 'The engine gave no reason.',
  retryable: false,
};

/** The limits of the wire apply to engines from outside too. */
function withinLimits(failure: Failure): Failure {
  const { retryAfterMs, detail } = failure;
  return {
    ...failure,
    code: firstChars(String(failure.code), 64) || NO_REASON.code,
    message: firstChars(String(failure.message), 1000) || NO_REASON.message,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.max(0, Math.round(retryAfterMs)) }),
    ...(detail === undefined ? {} : { detail: firstChars(String(detail), 4096) }),
  };
}

/** Details of failures go to the server: the names of this worker's folders do not. */
export function withoutPaths(text: string): string {
  return text.replaceAll(/(?:file:)?(?:\/[\w.@+~-]+)+\/([\w.@+~-]+)/g, '$1');
}
