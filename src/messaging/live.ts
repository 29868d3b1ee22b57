import type { Msg } from '@nats-io/transport-node';
import { CodecError, decode, decodeAbout, decodeOrNull, encode } from '../contract/codec.ts';
import { EventMessage, ProgressMessage, WorkerAnnouncement } from '../contract/messages.ts';
import {
  announcementSubject,
  jobIdOf,
  liveEventSubject,
  liveProgressSubject,
  progressSubject,
  STREAMS,
} from '../contract/subjects.ts';
import { isConnected, type NatsConnection } from './connection.ts';
import { readStored } from './jetstream.ts';

export interface LiveHandlers {
  onEvent(event: EventMessage): void;
  onProgress(progress: ProgressMessage): void;
  onAnnouncement(announcement: WorkerAnnouncement): void;
  onMalformed(subject: string, error: Error): void;
}

/**
 * Everything that workers report, as it happens. Messages may be lost, so a reader fills gaps from EVENTS. A server
 * process subscribes once and distributes in memory.
 */
export function subscribeLive(nc: NatsConnection, handlers: LiveHandlers): { stop(): void } {
  const subscribe = <Message>(
    subject: string,
    read: (received: Msg) => Message,
    handle: (message: Message) => void,
  ) =>
    nc.subscribe(subject, {
      callback: (failure, received) => {
        if (failure !== null) return handlers.onMalformed(subject, failure);
        let message: Message;
        try {
          message = read(received);
        } catch (error) {
          if (error instanceof CodecError) return handlers.onMalformed(received.subject, error);
          throw error;
        }
        handle(message);
      },
    });
  const subscriptions = [
    subscribe(
      liveEventSubject('*'),
      ({ subject, data }) => decodeAbout(jobIdOf(subject), EventMessage, data),
      (event) => handlers.onEvent(event),
    ),
    subscribe(
      liveProgressSubject('*'),
      ({ subject, data }) => decodeAbout(jobIdOf(subject), ProgressMessage, data),
      (progress) => handlers.onProgress(progress),
    ),
    subscribe(
      announcementSubject('*'),
      ({ data }) => decode(WorkerAnnouncement, data),
      (announcement) => handlers.onAnnouncement(announcement),
    ),
  ];
  return {
    stop() {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}

/** Sends progress without waiting. It may be lost, and is dropped while there is no connection. */
export function publishProgress(nc: NatsConnection, progress: ProgressMessage): void {
  if (!isConnected(nc) || nc.isDraining()) return;
  nc.publish(progressSubject(progress.jobId), encode(progress));
}

/** The newest progress of a job; null when there is none of the last hour. */
export async function readProgress(nc: NatsConnection, jobId: string): Promise<ProgressMessage | null> {
  const stored = await readStored(nc, STREAMS.progress, { last_by_subj: progressSubject(jobId) });
  return stored === null ? null : decodeOrNull(jobId, ProgressMessage, stored.data);
}
