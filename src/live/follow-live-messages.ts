import type { NatsConnection } from '../messaging/connection.ts';
import { subscribeLive } from '../messaging/live.ts';
import type { NatsSession } from '../messaging/session.ts';
import type { Logger } from '../observability/logger.ts';
import type { Hub } from './hub.ts';
import type { WorkerRegistry } from './worker-registry.ts';

/** One core subscription for the whole process; the client renews it whenever it reconnects. */
export function followLiveMessages(
  session: NatsSession,
  { hub, registry, log }: { readonly hub: Hub; readonly registry: WorkerRegistry; readonly log: Logger },
): void {
  let subscribed: NatsConnection | null = null;
  session.onConnected((nc) => {
    // Messages sent while the connection was down are lost.
    hub.refreshAll();
    if (subscribed === nc) return;
    subscribed = nc;
    subscribeLive(nc, {
      onEvent: (event) => hub.receiveEvent(event),
      onProgress: (progress) => hub.receiveProgress(progress),
      onAnnouncement: (announcement) => registry.receive(announcement),
      onMalformed: (subject, err) => log.warn({ subject, err }, 'ignored a malformed live message'),
    });
  });
}
