import { decodeOrNull, encode } from '../contract/codec.ts';
import { ControlMessage } from '../contract/messages.ts';
import { controlSubject, liveControlSubject, STREAMS } from '../contract/subjects.ts';
import type { NatsConnection } from './connection.ts';
import { publishStored, readStored, withManager } from './jetstream.ts';

/** Stores the request, for a worker that starts later, and sends it to the worker that runs now. */
export async function publishCancel(nc: NatsConnection, message: ControlMessage): Promise<void> {
  await publishStored(nc, controlSubject(message.jobId), encode(message), {
    messageId: `${message.jobId}:${message.action}:${message.at}`,
  });
}

/** The newest request to the job's worker; null when there is none, or none that this version understands. */
export async function readControl(
  nc: NatsConnection,
  jobId: string,
  timeoutMs?: number,
): Promise<ControlMessage | null> {
  const stored = await readStored(nc, STREAMS.control, { last_by_subj: controlSubject(jobId) }, timeoutMs);
  return stored === null ? null : decodeOrNull(jobId, ControlMessage, stored.data);
}

/** Removes the stored requests, before a job runs again. */
export async function clearControl(nc: NatsConnection, jobId: string): Promise<void> {
  await withManager(nc, ({ streams }) => streams.purge(STREAMS.control, { filter: controlSubject(jobId) }));
}

/** Calls `handler` for every request from now on. Watch first, then read, and none is missed. */
export function watchControl(
  nc: NatsConnection,
  jobId: string,
  handler: (message: ControlMessage) => void,
): { stop(): void } {
  const subscription = nc.subscribe(liveControlSubject(jobId), {
    callback: (error, received) => {
      const message = error === null ? decodeOrNull(jobId, ControlMessage, received.data) : null;
      if (message !== null) handler(message);
    },
  });
  return { stop: () => subscription.unsubscribe() };
}
