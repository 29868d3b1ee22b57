import { AsyncLocalStorage } from 'node:async_hooks';
import { v7 } from 'uuid';

const storage = new AsyncLocalStorage<{ readonly requestId: string }>();
const SANE_REQUEST_ID = /^[A-Za-z0-9._:-]{8,128}$/;

/** The caller's request id if it is safe to log, else a new one. */
export function requestIdFrom(header: string | string[] | undefined): string {
  return typeof header === 'string' && SANE_REQUEST_ID.test(header) ? header : v7();
}

/** Makes this the current id for everything that `run` starts, including later asynchronous work. */
export function withRequestId<Result>(requestId: string, run: () => Result): Result {
  return storage.run({ requestId }, run);
}

export function currentRequestId(): string {
  return storage.getStore()?.requestId ?? v7();
}
