import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import type { EventMessage } from '../../src/contract/messages.ts';
import { laneConsumer, STREAMS } from '../../src/contract/subjects.ts';
import { JOB_PRIORITIES } from '../../src/domain/vocabulary.ts';
import { connectToNats, type NatsConnection } from '../../src/messaging/connection.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { GraphQLClient, type Variables } from './graphql-client.ts';
import { JobCalls } from './job-calls.ts';
import { startTestNats, type TestNats } from './nats.ts';
import { createTestDatabase } from './postgres.ts';
import { startServerProcess, type TestServer } from './processes.ts';
import { scriptOf } from './scripted-engine.mjs';
import { endWorker, eventually, QUICK_ACK_WAIT_MS, spawnWorker, storedEvents } from './worker-rig.ts';

/** Retries come soon, and missing tasks are noticed within seconds. */
const QUICK_SERVER = {
  LOG_LEVEL: 'info',
  RETRY_BASE_SECONDS: '0.05',
  RETRY_MAX_SECONDS: '0.2',
  RECONCILE_INTERVAL_SECONDS: '1',
  RECONCILE_SILENT_SECONDS: '2',
  SHUTDOWN_GRACE_SECONDS: '5',
};

export interface FaultRigOptions {
  /** By default one of the Postgres that all tests share. */
  readonly databaseUrl?: string;
  readonly servers?: number;
  /** Further variables of every server, such as the address of a pooler before the database. */
  readonly serverEnv?: (databaseUrl: string) => Promise<Readonly<Record<string, string>>>;
}

/** Real servers, and workers of the scripted engine, with everything that a test may break. */
export interface FaultRig {
  readonly databaseUrl: string;
  readonly nats: TestNats;
  readonly nc: NatsConnection;
  readonly servers: readonly TestServer[];
  /** Of the first server. */
  readonly jobs: JobCalls;
  readonly client: GraphQLClient;
  startServer(env?: Readonly<Record<string, string>>): Promise<TestServer>;
  clientOf(server: TestServer): { readonly client: GraphQLClient; readonly jobs: JobCalls };
  /** A worker with short times, as a process; resolves when it takes tasks. */
  spawnWorker(): Promise<ChildProcess>;
  /** Submits a script of the scripted engine, such as `seed/4/1000/50?fail=AUDIO@1`; returns the job's id. */
  submit(script: string, input?: Variables): Promise<string>;
  /** Gives the lanes the workers' short times; a server that finds new streams sets its own again. */
  quickenLanes(): Promise<void>;
  query<Row extends pg.QueryResultRow>(sql: string, parameters?: unknown[]): Promise<Row[]>;
  /** The job's events that are stored now. */
  eventsOf(jobId: string): Promise<readonly EventMessage[]>;
  /** The texts of the job's segments once it is COMPLETED. @throws Error when it ends otherwise. */
  completedTexts(jobId: string): Promise<readonly string[]>;
  /** Resolves when so many segments of the job are stored in EVENTS. */
  reaches(jobId: string, segmentCount: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startFaultRig(options: FaultRigOptions = {}): Promise<FaultRig> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  const directory = await mkdtemp(join(tmpdir(), 'transcription-fault-'));
  stops.push(() => rm(directory, { recursive: true, force: true }));
  const database =
    options.databaseUrl === undefined
      ? await createTestDatabase()
      : { url: options.databaseUrl, drop: async () => undefined };
  stops.push(() => database.drop());
  const nats = await startTestNats();
  stops.push(() => nats.dispose());
  const nc = await connectToNats({ url: nats.url, name: 'test', log: createLogger('test', 'silent') });
  stops.push(() => nc.close());

  const serverEnv = (await options.serverEnv?.(database.url)) ?? {};

  const startServer: FaultRig['startServer'] = async (env = {}) => {
    const server = await startServerProcess({
      ...QUICK_SERVER,
      DATABASE_URL: database.url,
      NATS_URL: nats.url,
      DATA_DIR: directory,
      ...serverEnv,
      ...env,
    });
    stops.push(() => {
      server.signal('SIGCONT');
      return server.stop();
    });
    return server;
  };
  const clientOf: FaultRig['clientOf'] = (server) => {
    const client = new GraphQLClient(server.url);
    stops.push(async () => client.close());
    return { client, jobs: new JobCalls(client) };
  };
  const servers: TestServer[] = [];
  for (let count = options.servers ?? 1; count > 0; count -= 1) servers.push(await startServer());
  const [first] = servers;
  if (first === undefined) throw new RangeError('a rig has at least one server');
  const { client, jobs } = clientOf(first);
  const events = (jobId: string) => storedEvents(nc, jobId);
  const rig: FaultRig = {
    ...{ databaseUrl: database.url, nats, nc, servers, client, jobs, startServer, clientOf, stop },
    spawnWorker: async () => {
      const worker = await spawnWorker(nats.url, directory);
      stops.push(() => endWorker(worker));
      return worker;
    },
    submit: (script, input = {}) =>
      jobs.accepted({ audio: { url: `https://script.test/${script}` }, ...input }),
    quickenLanes: () => quickenLanes(nc),
    query: (sql, parameters = []) => query(database.url, sql, parameters),
    eventsOf: events,
    completedTexts: async (jobId) => {
      const job = await jobs.finished(jobId);
      if (job.status !== 'COMPLETED') throw new Error(`it ended ${JSON.stringify(job)}`);
      return job.transcript?.segments.nodes.map(({ text }) => text) ?? [];
    },
    reaches: async (jobId, segmentCount) => {
      await eventually(
        async () => ((await events(jobId)).at(-1)?.segmentCount ?? 0) >= segmentCount,
        `${segmentCount} segments`,
      );
    },
  };
  await rig.quickenLanes();
  return rig;
}

async function quickenLanes(nc: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(nc, { checkAPI: false });
  await eventually(async () => {
    try {
      for (const priority of JOB_PRIORITIES) {
        const name = laneConsumer('whisper', priority);
        await manager.consumers.update(STREAMS.tasks, name, { ack_wait: QUICK_ACK_WAIT_MS * 1_000_000 });
      }
      return true;
    } catch {
      return false; // The leader has not created them yet.
    }
  }, 'the lanes exist');
}

async function query<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  parameters: unknown[],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, parameters)).rows;
  } finally {
    await client.end();
  }
}

/** The text of each segment of a script's recording. */
export function textsOf(script: string): readonly string[] {
  return scriptOf(`https://script.test/${script}`)?.segments.map(({ text }) => text) ?? [];
}
