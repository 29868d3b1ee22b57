import { v7 as uuidv7 } from 'uuid';
import { authenticate } from './auth/authenticate.ts';
import { composeApplication } from './compose-application.ts';
import { createBroker, createLeader, subscribeToLiveMessages } from './compose-background.ts';
import { createEdge, openExportFile } from './compose-edge.ts';
import type { Live, Parts } from './compose-parts.ts';
import { checkHealth, openStorage } from './compose-storage.ts';
import type { ServerConfig } from './config/config.ts';
import { createHttpServer } from './http/http-server.ts';
import { Hub } from './live/hub.ts';
import { createMetricSources } from './live/metric-sources.ts';
import { WorkerRegistry } from './live/worker-registry.ts';
import { readProgress } from './messaging/live.ts';
import { NatsSession } from './messaging/session.ts';
import type { Logger } from './observability/logger.ts';
import { Metrics } from './observability/metrics.ts';
import { JobListener } from './storage/job-listener.ts';
import { readSnapshots } from './storage/job-reader.ts';
import { Leadership } from './storage/leadership.ts';

export interface RunningServer {
  readonly url: string;
  /** Stops taking requests, tells subscribers to come back, ends the loops, closes everything. */
  stop(): Promise<void>;
}

/** Builds the server and everything in it, and starts it. The only place that knows all parts. */
export async function startServer(config: ServerConfig, log: Logger): Promise<RunningServer> {
  const storage = await openStorage(config, log);
  const serverId = `srv_${uuidv7().replaceAll('-', '')}`;
  const session = new NatsSession({
    url: config.NATS_URL,
    credentialsFile: config.NATS_CREDS,
    name: serverId,
    log,
  });
  const edge = createEdge(config, storage);
  const live: Live = {
    hub: new Hub({
      read: (ids) => readSnapshots(storage.database, ids),
      lastProgress: async (jobId) => readProgress(session.connection, jobId),
      maxSubscribers: config.MAX_SUBSCRIPTIONS,
      log,
    }),
    registry: new WorkerRegistry(storage.models, log),
  };
  const metrics = config.METRICS === 'on' ? new Metrics(log) : null;
  const parts: Parts = { config, log, storage, session, edge, live, metrics };
  const broker = createBroker(parts);
  const leader = createLeader(parts, broker);
  const app = composeApplication(parts, broker, leader);
  const http = createHttpServer({
    ...{ app, config, log, authenticate, metrics },
    uploads: edge.uploads,
    links: edge.links,
    openExport: (jobId, request) => openExportFile(storage.reader, jobId, request),
    health: () => checkHealth(storage, session),
  });

  metrics?.measure(
    createMetricSources({ queues: storage.queues, ...live, brokerConnected: () => session.connected }),
  );
  const listener = new JobListener(
    config.DATABASE_DIRECT_URL ?? config.DATABASE_URL,
    {
      onJobChanged: (jobId) => live.hub.jobChanged(jobId),
      onJobsWaiting: (queue) => leader.admission.wake(queue),
      onJobsTimed: () => leader.admission.wakeTimer(),
      onListening: () => live.hub.refreshAll(),
    },
    log,
  );
  await listener.start();
  live.registry.onArrival((queue) => leader.admission.wake(queue));
  subscribeToLiveMessages(parts);
  const listening = session.run();
  const leadership = new Leadership({
    ...{ serverId, log },
    url: config.DATABASE_DIRECT_URL ?? config.DATABASE_URL,
    lead: (signal) => leader.run(signal),
  });
  leadership.start();
  const { url } = await http.listen();
  edge.baseUrl = url;
  log.info({ url, serverId }, 'serving');

  return {
    url,
    async stop() {
      await http.close(config.SHUTDOWN_GRACE_SECONDS * 1000);
      await leadership.stop();
      await listener.close();
      await session.close();
      await listening;
      await storage.relaxed.destroy();
      await storage.database.destroy();
      log.info({ serverId }, 'stopped');
    },
  };
}
