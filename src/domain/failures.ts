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

/** The chain of a job cannot be followed any more. */
export function brokenChainFailure(code: BrokenChainCode, detail: string): Failure {
  return {
    kind: 'INTERNAL',
    code,
    message: BROKEN_CHAIN[code],
    retryable: false,
    detail: detail.slice(0, 1000),
  };
}

const BROKEN_CHAIN = {
  EVENT_UNREADABLE:
    'A worker sent an event that the server cannot read, so the job was stopped. Use the same version for servers ' +
    'and workers, then retry the job.',
  EVENT_NOT_STORABLE:
    'A worker sent an event that the database cannot store, so the job was stopped. Retry the job; report the ' +
    'engine if it fails again.',
  EVENTS_MISSING:
    'Events of the job were lost on their way to the server, so the job was stopped. Retry the job; it continues ' +
    'after the last stored segment.',
} as const;
export type BrokenChainCode = keyof typeof BROKEN_CHAIN;

export function isBrokenChain(failure: Failure): boolean {
  return Object.hasOwn(BROKEN_CHAIN, failure.code);
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
