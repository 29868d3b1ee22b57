import { resolve } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { createApplication } from './app/application.ts';
import { authenticate } from './auth/authenticate.ts';
import { SignedLinks } from './auth/signed-links.ts';
import { lifecyclePolicyOf, type ServerConfig } from './config/config.ts';
import type { Environment } from './domain/environment.ts';
import { checkHealth } from './http/health.ts';
import { createHttpServer } from './http/http-server.ts';
import { LeaderWork } from './leader/leader-work.ts';
import { followLiveMessages } from './live/follow-live-messages.ts';
import { Hub } from './live/hub.ts';
import { createMetricSources } from './live/metric-sources.ts';
import { WorkerRegistry } from './live/worker-registry.ts';
import { createNatsBroker } from './messaging/broker.ts';
import { readProgress } from './messaging/live.ts';
import { NatsSession } from './messaging/session.ts';
import type { Logger } from './observability/logger.ts';
import { Metrics } from './observability/metrics.ts';
import { JobListener } from './storage/job-listener.ts';
import { readSnapshots } from './storage/job-reader.ts';
import { Leadership } from './storage/leadership.ts';
import { openStorage } from './storage/open-storage.ts';
import { LocalUploadStore } from './uploads/local-store.ts';
import type { UploadDeps } from './uploads/upload-deps.ts';
import { UploadRepository } from './uploads/upload-repository.ts';

export interface RunningServer {
  readonly url: string;
  /** Refuses new requests, closes subscriptions so that clients reconnect elsewhere, ends the loops, closes everything. */
  stop(): Promise<void>;
}

/** Builds the parts of the server, connects them and starts them. How each behaves is in its own file. */
export async function startServer(config: ServerConfig, log: Logger): Promise<RunningServer> {
  const serverId = `srv_${uuidv7().replaceAll('-', '')}`;
  const environment: Environment = { now: () => new Date(), random: Math.random, uuid: uuidv7 };
  const lifecycle = lifecyclePolicyOf(config);
  const metrics = config.METRICS === 'on' ? new Metrics(log) : null;

  const storage = await openStorage(config, log);
  const links = new SignedLinks({
    secret: storage.linkSecret,
    baseUrl: config.PUBLIC_URL ?? `http://${config.HOST}:${config.PORT}`,
    workerBaseUrl: config.WORKER_URL,
  });
  const uploads: UploadDeps = {
    repository: new UploadRepository(storage.database),
    store: new LocalUploadStore(resolve(config.DATA_DIR, 'uploads')),
    ...{ links, environment, config },
  };

  const session = new NatsSession({
    url: config.NATS_URL,
    credentialsFile: config.NATS_CREDS,
    name: serverId,
    log,
  });
  const broker = createNatsBroker({
    session,
    now: environment.now,
    contentUrl: (tenantId, uploadId) => links.contentUrl(tenantId, uploadId),
    limits: {
      maxAudioBytes: config.MAX_AUDIO_BYTES,
      maxAudioMs: config.MAX_AUDIO_SECONDS * 1000,
      runTimeoutMs: config.ATTEMPT_TIMEOUT_SECONDS * 1000,
      maxLostRuns: lifecycle.maxLostRuns,
    },
  });

  const hub = new Hub({
    read: (ids) => readSnapshots(storage.database, ids),
    lastProgress: async (jobId) => readProgress(session.connection, jobId),
    maxSubscribers: config.MAX_SUBSCRIPTIONS,
    log,
  });
  const registry = new WorkerRegistry(storage.models, log);
  followLiveMessages(session, { hub, registry, log });

  const leader = new LeaderWork({
    ...storage,
    ...{ session, broker, environment, lifecycle, log },
    metrics: metrics ?? undefined,
    liveSlots: (queue) => registry.slots(queue),
    replicas: config.NATS_REPLICAS,
    isOut: (queue) => registry.isOut(queue, config.ENGINE_ABSENT_SECONDS * 1000),
    lastSeenAt: (jobId) => hub.lastSeenAt(jobId),
    times: {
      intervalMs: config.RECONCILE_INTERVAL_SECONDS * 1000,
      silentMs: config.RECONCILE_SILENT_SECONDS * 1000,
      lostMs: config.WORKER_LOST_SECONDS * 1000,
    },
    uploads,
  });
  registry.onArrival((queue) => leader.admission.wake(queue));
  const directUrl = config.DATABASE_DIRECT_URL ?? config.DATABASE_URL;
  const listener = new JobListener(
    directUrl,
    {
      onJobChanged: (jobId) => hub.jobChanged(jobId),
      onJobsWaiting: (queue) => leader.admission.wake(queue),
      onJobsTimed: () => leader.admission.wakeTimer(),
      onListening: () => hub.refreshAll(),
    },
    log,
  );
  const leadership = new Leadership({
    url: directUrl,
    lead: (signal) => leader.run(signal),
    ...{ serverId, log },
  });

  const app = createApplication({
    ...storage,
    ...{ broker, hub, registry, uploads, links, config, lifecycle, environment, log },
    lanes: leader,
  });
  const http = createHttpServer({
    ...{ app, links, authenticate, config, metrics, log },
    health: () => checkHealth(storage, session),
  });
  metrics?.measure(
    createMetricSources({
      queues: storage.queues,
      brokerConnected: () => session.connected,
      ...{ hub, registry },
    }),
  );

  await listener.start();
  const running = session.run();
  leadership.start();
  const { url } = await http.listen();
  links.baseUrl = url;
  log.info({ url, serverId }, 'server started');

  return {
    url,
    async stop() {
      await http.close(config.SHUTDOWN_GRACE_SECONDS * 1000);
      await leadership.stop();
      await listener.close();
      await session.close();
      await running;
      await storage.close();
      log.info({ serverId }, 'server stopped');
    },
  };
}
