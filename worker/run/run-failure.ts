import { FailureMessage } from '../../src/contract/messages.ts';
import { firstChars } from '../../src/domain/cut-text.ts';
import { FAILURE_KINDS, type Failure } from '../../src/domain/vocabulary.ts';

/** The user, through the server, asked the run to stop. */
export class CanceledError extends Error {
  override readonly name = 'CanceledError';
}

/** The worker shuts down. */
export class ReleasedError extends Error {
  override readonly name = 'ReleasedError';
}

/** The attempt took longer than its task allows. */
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
  const told = toldBy(error);
  if (told !== null) return told;
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

/** Engines from outside can't import our class; theirs has the same name and fields. */
function toldBy(error: unknown): { readonly failure: Failure; readonly requestId: string | null } | null {
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

/** The wire's limits hold for engines from outside, too. */
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
