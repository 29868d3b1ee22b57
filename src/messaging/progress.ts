import { CodecError, decode, encode } from '../contract/codec.ts';
import { ProgressMessage } from '../contract/messages.ts';
import { progressSubject, STREAMS } from '../contract/subjects.ts';
import { isConnected, type NatsConnection } from './connection.ts';
import { readStored } from './jetstream-request.ts';

/** Sends a progress without waiting; it may be lost, and is dropped while NATS is away. */
export function publishProgress(nc: NatsConnection, progress: ProgressMessage): void {
  if (!isConnected(nc) || nc.isDraining()) return;
  nc.publish(progressSubject(progress.jobId), encode(progress));
}

/** The newest progress of a job, if one is younger than an hour. */
export async function readProgress(nc: NatsConnection, jobId: string): Promise<ProgressMessage | null> {
  const stored = await readStored(nc, STREAMS.progress, { last_by_subj: progressSubject(jobId) });
  if (stored === null) return null;
  try {
    return decode(ProgressMessage, stored.bytes);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}
