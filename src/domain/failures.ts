import { firstChars } from './cut-text.ts';
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

const BROKEN_CHAINS = [
  {
    code: 'EVENT_UNREADABLE',
    message:
      'A worker sent an event that the server cannot read, so the job was stopped. Use the same version for servers ' +
      'and workers, then retry the job.',
  },
  {
    code: 'EVENT_NOT_STORABLE',
    message:
      'A worker sent an event that the database cannot store, so the job was stopped. Retry the job; report the ' +
      'engine if it fails again.',
  },
  {
    code: 'EVENTS_MISSING',
    message:
      'Events of the job were lost on their way to the server, so the job was stopped. Retry the job; it continues ' +
      'after the last stored segment.',
  },
] as const;
export type BrokenChainCode = (typeof BROKEN_CHAINS)[number]['code'];

const MAX_DETAIL_CHARS = 1000;

/** The chain of a job cannot be followed any more. */
export function brokenChainFailure(code: BrokenChainCode, problem: string): Failure {
  const message = BROKEN_CHAINS.find((broken) => broken.code === code)?.message ?? '';
  return { kind: 'INTERNAL', code, message, retryable: false, detail: firstChars(problem, MAX_DETAIL_CHARS) };
}

export function isBrokenChain(failure: Failure): boolean {
  return BROKEN_CHAINS.some(({ code }) => code === failure.code);
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
