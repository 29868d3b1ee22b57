import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import type { Application, ExportRequest, QueueView } from './app/application.ts';
import { createApplication } from './app/create-application.ts';
import { exportFilename, openExport } from './app/export-transcript.ts';
import type { Broker, Environment, JobReader } from './app/ports.ts';
import type { UploadDeps } from './app/upload-ports.ts';
import { claimUpload, createUpload, findUpload, sweepExpiredUploads } from './app/uploads.ts';
import { LocalUploadStore } from './audio/local-upload-store.ts';
import { urlProblem } from './audio/url-guard.ts';
import { ANONYMOUS, authenticate } from './auth/authenticate.ts';
import { SignedLinks } from './auth/signed-links.ts';
import { Hub } from './background/hub.ts';
import { LeaderWork } from './background/leader-work.ts';
import { withLiveProgress } from './background/live-progress.ts';
import { createMetricSources } from './background/metric-sources.ts';
import { createNatsBroker } from './background/nats-broker.ts';
import { NatsSession } from './background/nats-session.ts';
import { watchJob, watchSegments } from './background/watch-job.ts';
import { WorkerRegistry } from './background/worker-registry.ts';
import type { ServerConfig } from './config/config.ts';
import { toId } from './domain/ids.ts';
import { DEFAULT_MAX_LOST_ATTEMPTS, type RetryPolicy } from './domain/retry-policy.ts';
import { contentTypeOf } from './domain/transcript-formats.ts';
import type { ExportFile } from './http/export-route.ts';
import type { Health } from './http/routes.ts';
import type { NatsConnection } from './messaging/connection.ts';
import { subscribeLive } from './messaging/live.ts';
import type { Logger } from './observability/logger.ts';
import { Metrics } from './observability/metrics.ts';
import { createHttpServer } from './server.ts';
import { openDatabase, whenReachable } from './storage/database.ts';
import { deleteOldKeys } from './storage/idempotency-keys.ts';
import { JobListener } from './storage/job-listener.ts';
import { createJobReader, readSnapshots } from './storage/job-reader.ts';
import { createJobSchedule } from './storage/job-schedule.ts';
import { createJobStore } from './storage/job-store.ts';
import { Leadership } from './storage/leadership.ts';
import { assertSchemaIsCurrent } from './storage/migrate.ts';
import { createModelStore, createQueueStore } from './storage/queue-store.ts';
import { sharedSecret } from './storage/secrets.ts';
import { createTenantStore } from './storage/tenant-store.ts';
import { PostgresUploadRepository } from './storage/upload-repository.ts';

export interface RunningServer {
  readonly url: string;
  /** Stops taking requests, tells subscribers to come back, ends the loops, closes everything. */
  stop(): Promise<void>;
}

const POOL_SIZE = 10;
const SCHEDULE_POOL_SIZE = 4;
const STATEMENT_TIMEOUT_MS = 15_000;
const DAY_MS = 86_400_000;
/** Links to uploads in orders outlive any queue and attempt. */
const CONTENT_LINK_LIFETIME_MS = 30 * DAY_MS;
const EXPIRED_JOBS_A_SWEEP = 500;
const OLD_KEYS_A_SWEEP = 5000;

const environment: Environment = { now: () => new Date(), random: Math.random, uuid: uuidv7 };

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
    hub: new Hub({ read: (ids) => readSnapshots(storage.database, ids), log }),
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
    config.DATABASE_URL,
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
  hearWorkers(parts);
  const listening = session.run();
  const leadership = new Leadership({
    ...{ serverId, log },
    url: config.DATABASE_URL,
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

interface Parts {
  readonly config: ServerConfig;
  readonly log: Logger;
  readonly storage: Storage;
  readonly session: NatsSession;
  readonly edge: Edge;
  readonly live: Live;
  readonly metrics: Metrics | null;
}

interface Live {
  readonly hub: Hub;
  readonly registry: WorkerRegistry;
}

type Storage = Awaited<ReturnType<typeof openStorage>>;

/** @throws SchemaMismatchError when the database is not this version's. */
async function openStorage(config: ServerConfig, log: Logger) {
  const database = await openDatabase({
    url: config.DATABASE_URL,
    poolSize: POOL_SIZE,
    log,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  await assertSchemaIsCurrent(database);
  // An admission that a crash forgets is done again, and the fence makes the second order harmless.
  const relaxed = await openDatabase({
    url: config.DATABASE_URL,
    poolSize: SCHEDULE_POOL_SIZE,
    log,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    relaxedCommits: true,
  });
  return {
    database,
    relaxed,
    store: createJobStore(database, { retentionMs: config.RETENTION_DAYS * DAY_MS }),
    reader: createJobReader(database),
    schedule: createJobSchedule(relaxed),
    queues: createQueueStore(database),
    models: createModelStore(database),
    tenants: createTenantStore(database),
    linkSecret: await sharedSecret(database, 'links'),
  };
}

interface Edge {
  /** Where clients reach the server; known for sure once it listens. */
  baseUrl: string;
  readonly links: SignedLinks;
  readonly uploads: UploadDeps & { readonly store: LocalUploadStore };
}

function createEdge(config: ServerConfig, storage: Storage): Edge {
  const edge = { baseUrl: config.PUBLIC_URL ?? `http://${config.HOST}:${config.PORT}` };
  const links = new SignedLinks({
    secret: storage.linkSecret,
    baseUrl: () => edge.baseUrl,
    workerBaseUrl: () => config.WORKER_URL ?? edge.baseUrl,
  });
  const uploads = {
    repository: new PostgresUploadRepository((sql, parameters) =>
      whenReachable(() => storage.database.query(sql, parameters)),
    ),
    store: new LocalUploadStore(resolve(config.DATA_DIR, 'uploads')),
    links,
    maxBytes: config.MAX_AUDIO_BYTES,
    ttlMs: config.UPLOAD_TTL_SECONDS * 1000,
    now: environment.now,
    newId: () => toId('Upload', uuidv7()),
  };
  return Object.assign(edge, { links, uploads });
}

function retryPolicy(config: ServerConfig): RetryPolicy {
  return {
    baseDelayMs: config.RETRY_BASE_SECONDS * 1000,
    maxDelayMs: config.RETRY_MAX_SECONDS * 1000,
    maxLostAttempts: DEFAULT_MAX_LOST_ATTEMPTS,
  };
}

function createBroker({ config, session, edge }: Parts): Broker {
  return createNatsBroker({
    session,
    now: environment.now,
    contentUrl: (uploadId) => edge.links.signedContentUrl(uploadId, CONTENT_LINK_LIFETIME_MS),
    limits: {
      maxAudioBytes: config.MAX_AUDIO_BYTES,
      maxAudioMs: config.MAX_AUDIO_SECONDS * 1000,
      attemptTimeoutMs: config.ATTEMPT_TIMEOUT_SECONDS * 1000,
      maxLostAttempts: DEFAULT_MAX_LOST_ATTEMPTS,
    },
  });
}

function createLeader(parts: Parts, broker: Broker): LeaderWork {
  const { config, log, storage, session, edge, live, metrics } = parts;
  return new LeaderWork({
    ...storage,
    ...{ session, broker, environment, log },
    metrics: metrics ?? undefined,
    retry: retryPolicy(config),
    liveSlots: (queue) => live.registry.slots(queue),
    isOut: (queue) => live.registry.isOut(queue, config.ENGINE_ABSENT_SECONDS * 1000),
    lastHeardAt: (jobId) => live.hub.lastHeardAt(jobId),
    times: {
      intervalMs: config.RECONCILE_INTERVAL_SECONDS * 1000,
      silentMs: config.RECONCILE_SILENT_SECONDS * 1000,
      lostMs: config.WORKER_LOST_SECONDS * 1000,
    },
    sweep: () => sweep(storage, edge.uploads),
  });
}

function composeApplication(parts: Parts, broker: Broker, leader: LeaderWork): Application {
  const { config, log, storage, edge, live } = parts;
  const { hub, registry } = live;
  const { uploads, links } = edge;
  return createApplication({
    ...storage,
    ...{ environment, broker },
    retry: retryPolicy(config),
    policy: { maxAttempts: config.MAX_ATTEMPTS, defaultEngines: config.DEFAULT_ENGINES },
    claimUpload: async (by, id) => {
      const until = new Date(Date.now() + config.RETENTION_DAYS * DAY_MS);
      const { filename, contentType, sizeBytes, storedSha256 } = await claimUpload(uploads, by, id, until);
      return { filename, contentType, sizeBytes, sha256: storedSha256 };
    },
    urlProblem: (url) => urlProblem(url, config.AUDIO_ALLOWED_NETWORKS),
    hash: (text) => createHash('sha256').update(text).digest('hex'),
    now: environment.now,
    startHash: () => {
      const hash = createHash('sha256');
      return { update: (text) => void hash.update(text), hex: () => hash.digest('hex') };
    },
    exportUrl: (jobId, request, expiresAt) => links.signedExportUrl(jobId, request, expiresAt),
    uploads: {
      createUpload: (by, input) => createUpload(uploads, by, input),
      findUpload: (by, id) => findUpload(uploads, by, id),
    },
    watch: {
      watchJob: (by, input, signal) => watchJob({ hub, reader: storage.reader }, by, input, signal),
      watchSegments: (by, input, signal) => watchSegments({ hub, reader: storage.reader }, by, input, signal),
    },
    live: (view) => withLiveProgress(view, { tick: hub.tickOf(view.id), checkpointMs: 0, segmentCount: 0 }),
    workers: {
      online: (queue) => registry.live(queue).length,
      busy: (queue) => registry.live(queue).filter((worker) => worker.busy > 0).length,
      engineAvailable: (queue) => {
        const workers = registry.live(queue);
        return workers.length === 0 || workers.some((worker) => worker.engineAvailable);
      },
    },
    queueChanged: (queue) => followQueue(queue, parts, broker, leader),
    brokerFailed: (jobId, err) => log.warn({ err, jobId }, 'a cancel waits for the broker'),
  });
}

/** One core subscription for the whole process; the client renews it whenever it reconnects. */
function hearWorkers({ session, live, log }: Parts): void {
  let heard: NatsConnection | null = null;
  session.onConnected((nc) => {
    // What was said while the connection was down went unheard.
    live.hub.refreshAll();
    if (heard === nc) return;
    heard = nc;
    subscribeLive(nc, {
      onFact: (fact) => live.hub.hearFact(fact),
      onProgress: (tick) => live.hub.hearTick(tick),
      onAnnouncement: (announcement) => live.registry.hear(announcement),
      onMalformed: (subject, err) => log.warn({ subject, err }, 'a live message could not be read'),
    });
  });
}

/** A paused queue takes back what no worker has begun; a changed one gets its lanes changed. */
async function followQueue(
  queue: QueueView,
  { storage, session, log }: Parts,
  broker: Broker,
  leader: LeaderWork,
): Promise<void> {
  const withdrawn =
    queue.isPaused || queue.concurrency === 0 ? await storage.schedule.withdraw(queue.name) : [];
  if (!session.connected) return;
  try {
    for (const sequence of withdrawn) await broker.deleteOrder(sequence);
    await leader.ensureLanes();
  } catch (err) {
    // The setting is stored; the lanes follow with the next connection, and a stray order only starts a job early.
    log.warn({ err, queue: queue.name }, 'the lanes of a queue could not be changed yet');
  }
}

async function openExportFile(
  reader: JobReader,
  jobId: string,
  request: ExportRequest,
): Promise<ExportFile | null> {
  const job = (await reader.find(ANONYMOUS.tenantId, [jobId])).get(jobId);
  const chunks = job === undefined ? null : await openExport({ reader }, job, request);
  if (job === undefined || chunks === null) return null;
  return { contentType: contentTypeOf(request.format), filename: exportFilename(job, request), chunks };
}

/** Removes what is past its time, a bounded amount each time. */
async function sweep({ database, store, schedule }: Storage, uploads: UploadDeps): Promise<void> {
  const now = environment.now();
  await deleteOldKeys(database, now, OLD_KEYS_A_SWEEP);
  const expired = await schedule.expired(now, EXPIRED_JOBS_A_SWEEP);
  if (expired.length > 0) await store.transaction((jobs) => jobs.delete(expired));
  await sweepExpiredUploads(uploads);
}

/** Ready means that jobs are taken: that needs the database alone. */
async function checkHealth({ database }: Storage, session: NatsSession): Promise<Health> {
  const databaseState = await database.query('SELECT 1').then(
    () => 'ok',
    () => 'unreachable',
  );
  return {
    ready: databaseState === 'ok',
    checks: { database: databaseState, broker: session.connected ? 'ok' : 'unreachable' },
  };
}
