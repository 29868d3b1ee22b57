import type { Failure } from './vocabulary.ts';

/** Failures that the lifecycle itself makes, and how failures are grouped. */

export const DEADLINE_EXCEEDED = 'DEADLINE_EXCEEDED';

export function deadlineFailure(cause: Failure | null): Failure {
  return {
    kind: 'TIMEOUT',
    code: DEADLINE_EXCEEDED,
    message:
      'The job was not finished by its deadline.' +
      (cause === null ? '' : ` Its last attempt failed: ${cause.message}`),
    retryable: false,
  };
}

export function poisonFailure(lostRuns: number): Failure {
  return {
    kind: 'WORKER_LOST',
    code: 'WORKER_LOST_REPEATEDLY',
    message:
      `The job lost its worker ${lostRuns} times, so it is not retried automatically. ` +
      'Check the workers (memory, crashes), then retry the job.',
    retryable: false,
  };
}

/** Equal for failures with one cause: the code, and the message without numbers, ids and addresses. */
export function fingerprintOf(failure: Failure): string {
  const cause = failure.message
    .replace(/https?:\/\/\S+/g, '<url>')
    .replace(/[a-z]{3}_[0-9a-f]{32}/g, '<id>')
    .replace(/\d+(\.\d+)?/g, '<n>')
    .slice(0, 200);
  return `${failure.code}: ${cause}`;
}
