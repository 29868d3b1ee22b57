import { DAY_MS, environment } from './compose-environment.ts';
import type { Parts } from './compose-parts.ts';
import type { ServerConfig } from './config/config.ts';
import { DEFAULT_MAX_LOST_RUNS, type LifecyclePolicy } from './domain/lifecycle-events.ts';
import type { QueueView } from './domain/queue-view.ts';
import { LeaderWork } from './leader/leader-work.ts';
import { type Broker, createNatsBroker } from './messaging/broker.ts';
import type { NatsConnection } from './messaging/connection.ts';
import { subscribeLive } from './messaging/live.ts';

/** Links to uploads in tasks outlive any queue and attempt. */
const CONTENT_LINK_LIFETIME_MS = 30 * DAY_MS;

export function lifecyclePolicy(config: ServerConfig): LifecyclePolicy {
  return {
    baseDelayMs: config.RETRY_BASE_SECONDS * 1000,
    maxDelayMs: config.RETRY_MAX_SECONDS * 1000,
    maxLostRuns: DEFAULT_MAX_LOST_RUNS,
    retentionMs: config.RETENTION_DAYS * DAY_MS,
  };
}

export function createBroker({ config, session, edge }: Parts): Broker {
  return createNatsBroker({
    session,
    now: environment.now,
    contentUrl: (uploadId) => edge.links.signedContentUrl(uploadId, CONTENT_LINK_LIFETIME_MS),
    limits: {
      maxAudioBytes: config.MAX_AUDIO_BYTES,
      maxAudioMs: config.MAX_AUDIO_SECONDS * 1000,
      runTimeoutMs: config.ATTEMPT_TIMEOUT_SECONDS * 1000,
      maxLostRuns: DEFAULT_MAX_LOST_RUNS,
    },
  });
}

export function createLeader(parts: Parts, broker: Broker): LeaderWork {
  const { config, log, storage, session, edge, live, metrics } = parts;
  return new LeaderWork({
    ...storage,
    ...{ session, broker, environment, log },
    replicas: config.NATS_REPLICAS,
    metrics: metrics ?? undefined,
    lifecycle: lifecyclePolicy(config),
    liveSlots: (queue) => live.registry.slots(queue),
    isOut: (queue) => live.registry.isOut(queue, config.ENGINE_ABSENT_SECONDS * 1000),
    lastSeenAt: (jobId) => live.hub.lastSeenAt(jobId),
    times: {
      intervalMs: config.RECONCILE_INTERVAL_SECONDS * 1000,
      silentMs: config.RECONCILE_SILENT_SECONDS * 1000,
      lostMs: config.WORKER_LOST_SECONDS * 1000,
    },
    uploads: edge.uploads,
  });
}

/** One core subscription for the whole process; the client renews it whenever it reconnects. */
export function subscribeToLiveMessages({ session, live, log }: Parts): void {
  let heard: NatsConnection | null = null;
  session.onConnected((nc) => {
    // What was said while the connection was down went unheard.
    live.hub.refreshAll();
    if (heard === nc) return;
    heard = nc;
    subscribeLive(nc, {
      onEvent: (event) => live.hub.receiveEvent(event),
      onProgress: (progress) => live.hub.receiveProgress(progress),
      onAnnouncement: (announcement) => live.registry.hear(announcement),
      onMalformed: (subject, err) => log.warn({ subject, err }, 'a live message could not be read'),
    });
  });
}

/** A paused queue takes back what no worker has begun; a changed one gets its lanes changed. */
export async function followQueue(
  queue: QueueView,
  { storage, session, log }: Parts,
  broker: Broker,
  leader: LeaderWork,
): Promise<void> {
  const withdrawn =
    queue.isPaused || queue.concurrency === 0 ? await storage.schedule.withdraw(queue.name) : [];
  if (!session.connected) return;
  try {
    for (const sequence of withdrawn) await broker.deleteTask(sequence);
    await leader.ensureLanes();
  } catch (err) {
    // The setting is stored; the lanes follow with the next connection, and a stray task only starts a job early.
    log.warn({ err, queue: queue.name }, 'the lanes of a queue could not be changed yet');
  }
}
