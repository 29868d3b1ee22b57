import { AsyncLocalStorage } from 'node:async_hooks';
import { v7 } from 'uuid';

const storage = new AsyncLocalStorage<{ readonly requestId: string }>();
const SANE_REQUEST_ID = /^[A-Za-z0-9._:-]{8,128}$/;

/** The caller's own id where it is fit for a log line, else a new one. */
export function requestIdFrom(header: string | string[] | undefined): string {
  return typeof header === 'string' && SANE_REQUEST_ID.test(header) ? header : v7();
}

/** Everything that `run` starts, however late, sees this id as the current one. */
export function withRequestId<Result>(requestId: string, run: () => Result): Result {
  return storage.run({ requestId }, run);
}

export function currentRequestId(): string {
  return storage.getStore()?.requestId ?? v7();
}
