import { CodecError, decode, encode } from '../contract/codec.ts';
import { ControlMessage } from '../contract/messages.ts';
import { controlSubject, liveControlSubject, STREAMS } from '../contract/subjects.ts';
import type { NatsConnection } from './connection.ts';
import { publishStored, readStored, requestJetStream } from './jetstream-request.ts';

/** Stores the wish, so that a worker that starts later finds it, and tells the worker that runs now. */
export async function publishCancel(nc: NatsConnection, message: ControlMessage): Promise<void> {
  await publishStored(nc, controlSubject(message.jobId), encode(message), {
    messageId: `${message.jobId}:${message.action}:${message.at}`,
  });
}

/** What was last asked of the job's worker; null when nothing, or nothing this version understands. */
export async function readControl(
  nc: NatsConnection,
  jobId: string,
  timeoutMs?: number,
): Promise<ControlMessage | null> {
  const stored = await readStored(nc, STREAMS.control, { last_by_subj: controlSubject(jobId) }, timeoutMs);
  return stored === null ? null : understood(stored.bytes);
}

/** Forgets what was asked, before a job that ended otherwise is run again. */
export async function clearControl(nc: NatsConnection, jobId: string): Promise<void> {
  await requestJetStream(nc, `STREAM.PURGE.${STREAMS.control}`, { filter: controlSubject(jobId) });
}

/** Calls `handler` for every message from now on. Subscribe first, then read, and nothing is missed. */
export function watchControl(
  nc: NatsConnection,
  jobId: string,
  handler: (message: ControlMessage) => void,
): { stop(): void } {
  const subscription = nc.subscribe(liveControlSubject(jobId), {
    callback: (error, received) => {
      if (error !== null) return;
      const message = understood(received.data);
      if (message !== null) handler(message);
    },
  });
  return { stop: () => subscription.unsubscribe() };
}

function understood(bytes: Uint8Array): ControlMessage | null {
  try {
    return decode(ControlMessage, bytes);
  } catch (error) {
    // A newer server may ask for what this version cannot do; not doing it is all there is.
    if (error instanceof CodecError) return null;
    throw error;
  }
}
