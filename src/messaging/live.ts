import type { Msg } from '@nats-io/transport-node';
import type { z } from 'zod';
import { CodecError, decode } from '../contract/codec.ts';
import { EventMessage, ProgressMessage, WorkerAnnouncement } from '../contract/messages.ts';
import { announcementSubject, liveEventSubject, liveProgressSubject } from '../contract/subjects.ts';
import type { NatsConnection } from './connection.ts';

export interface LiveHandlers {
  onEvent(event: EventMessage): void;
  onProgress(progress: ProgressMessage): void;
  onAnnouncement(announcement: WorkerAnnouncement): void;
  onMalformed(subject: string, error: Error): void;
}

/**
 * Everything workers report, as it happens; at most once, so a reader fills gaps from EVENTS. A server
 * process subscribes once and fans out in memory.
 */
export function subscribeLive(nc: NatsConnection, handlers: LiveHandlers): { stop(): void } {
  const subscribe = <Schema extends z.ZodType>(
    subject: string,
    schema: Schema,
    handler: (message: z.infer<Schema>) => void,
  ) =>
    nc.subscribe(subject, {
      callback: (error, received) => {
        if (error !== null) {
          handlers.onMalformed(subject, error);
          return;
        }
        const message = decodeOr(schema, received, handlers);
        if (message !== null) handler(message);
      },
    });
  const subscriptions = [
    subscribe(liveEventSubject('*'), EventMessage, (event) => handlers.onEvent(event)),
    subscribe(liveProgressSubject('*'), ProgressMessage, (progress) => handlers.onProgress(progress)),
    subscribe(announcementSubject('*'), WorkerAnnouncement, (message) => handlers.onAnnouncement(message)),
  ];
  return {
    stop() {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}

function decodeOr<Schema extends z.ZodType>(
  schema: Schema,
  received: Msg,
  handlers: LiveHandlers,
): z.infer<Schema> | null {
  try {
    return decode(schema, received.data);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    handlers.onMalformed(received.subject, error);
    return null;
  }
}

/**
 * Whether a run of a job shows itself within a time, by an event or a progress. Answers early when the chain
 * is extended by somebody else, since that run is over then.
 */
export function listenForRun(
  nc: NatsConnection,
  run: { readonly jobId: string; readonly runId: string },
  withinMs: number,
): Promise<boolean> {
  return new Promise((resolve) => {
    const stop = (heard: boolean) => {
      clearTimeout(timer);
      for (const subscription of subscriptions) subscription.unsubscribe();
      resolve(heard);
    };
    const timer = setTimeout(() => stop(false), withinMs);
    const listen = (subject: string, schema: typeof EventMessage | typeof ProgressMessage) =>
      nc.subscribe(subject, {
        callback: (error, received) => {
          if (error !== null) return;
          const message = schema.safeParse(jsonOf(received));
          if (!message.success) return;
          if (message.data.runId === run.runId) stop(true);
          else if (schema === EventMessage) stop(false);
        },
      });
    const subscriptions = [
      listen(liveEventSubject(run.jobId), EventMessage),
      listen(liveProgressSubject(run.jobId), ProgressMessage),
    ];
  });
}

function jsonOf(received: Msg): unknown {
  try {
    return received.json();
  } catch {
    return null;
  }
}
