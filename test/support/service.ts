import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEMO_MODEL } from '../../worker/models/catalogue.ts';
import { GraphQLClient } from './graphql-client.ts';
import { JobCalls } from './job-calls.ts';
import { startTestNats } from './nats.ts';
import { createTestDatabase } from './postgres.ts';
import { startServerProcess, startWorkerProcess, type TestProcess, type TestServer } from './processes.ts';

type Environment = Readonly<Record<string, string>>;

export interface ServiceOptions {
  /** For the server and the workers. */
  readonly env?: Environment;
  /** Whisper workers with the demo model; 1 unless said otherwise. */
  readonly workers?: number;
}

/** The whole system as users have it, for one test file: its own database, broker, server and workers. */
export interface Service {
  readonly server: TestServer;
  readonly workers: readonly TestProcess[];
  readonly client: GraphQLClient;
  readonly jobs: JobCalls;
  readonly databaseUrl: string;
  /** One more worker, of whisper unless `args` say otherwise; `env` goes before the service's. */
  addWorker(env?: Environment, args?: readonly string[]): Promise<TestProcess>;
  stop(): Promise<void>;
}

const MODELS = fileURLToPath(new URL('../../models', import.meta.url));

export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const directory = await mkdtemp(join(tmpdir(), 'transcription-service-'));
    stops.push(() => rm(directory, { recursive: true, force: true }));
    const database = await createTestDatabase();
    stops.push(() => database.drop());
    const nats = await startTestNats();
    stops.push(() => nats.dispose());
    const env = { LOG_LEVEL: 'info', NATS_URL: nats.url, DATA_DIR: directory, ...options.env };
    const server = await startServerProcess({ ...env, DATABASE_URL: database.url });
    stops.push(() => server.stop());
    const workers: TestProcess[] = [];
    const addWorker = async (more: Environment = {}, args: readonly string[] = []): Promise<TestProcess> => {
      const whisper = { MODELS_DIR: MODELS, WHISPER_MODEL: DEMO_MODEL };
      const workerEnv = { ...env, ...whisper, WORKER_GRACE_SECONDS: '0', ...more };
      const worker = await startWorkerProcess(workerEnv, undefined, args);
      stops.push(() => worker.stop());
      workers.push(worker);
      return worker;
    };
    for (let count = options.workers ?? 1; count > 0; count -= 1) await addWorker();
    const client = new GraphQLClient(server.url);
    stops.push(async () => client.close());
    return {
      server,
      workers,
      databaseUrl: database.url,
      client,
      jobs: new JobCalls(client),
      addWorker,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
