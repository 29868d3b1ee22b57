import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import getPort from 'get-port';
import type { LocalService } from '../../src/local/local-service.ts';
import { startNatsServer } from '../../src/local/nats-server.ts';
import { startPostgres } from '../../src/local/postgres.ts';
import type { Logger } from '../../src/observability/logger.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { Member } from './member.ts';

export interface ClusterOptions {
  readonly directory: string;
  readonly workers: number;
  readonly natsBinary: string | undefined;
  readonly log: Logger;
  readonly onSurprise: (text: string) => void;
}

/** Short, so that retries and the reconciler take effect within a run of minutes. */
const SERVER_SETTINGS = {
  HOST: '127.0.0.1',
  LOG_LEVEL: 'info',
  RETRY_BASE_SECONDS: '0.5',
  RETRY_MAX_SECONDS: '3',
  MAX_ATTEMPTS: '5',
  SHUTDOWN_GRACE_SECONDS: '5',
  RECONCILE_INTERVAL_SECONDS: '5',
  RECONCILE_SILENT_SECONDS: '20',
};
/** The exit code of `crash` in a script. */
const SCRIPTED_CRASH = 70;
const SLOTS = 2;
const pathOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

type Service = 'nats' | 'postgres';

/** Postgres, nats-server, two servers and some workers, each a real process that can be killed. */
export class Cluster {
  readonly servers: readonly Member[];
  readonly serverUrls: readonly string[];
  readonly workers: readonly Member[];
  readonly databaseUrl: string;
  readonly natsUrl: string;
  /** When a service was down. */
  readonly outages: { readonly service: Service; readonly from: number; to: number }[] = [];
  readonly #start: Readonly<Record<Service, () => Promise<LocalService>>>;
  readonly #services: Record<Service, LocalService>;
  readonly #away = new Map<Service, Promise<void>>();

  private constructor(
    services: Record<Service, LocalService>,
    start: Readonly<Record<Service, () => Promise<LocalService>>>,
    members: { readonly servers: readonly Member[]; readonly workers: readonly Member[] },
    serverUrls: readonly string[],
  ) {
    this.#services = services;
    this.#start = start;
    this.databaseUrl = services.postgres.url;
    this.natsUrl = services.nats.url;
    this.servers = members.servers;
    this.workers = members.workers;
    this.serverUrls = serverUrls;
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const { directory, log, natsBinary } = options;
    const natsOptions = {
      dataDirectory: join(directory, 'nats'),
      log,
      ...(natsBinary === undefined ? {} : { binary: natsBinary }),
    };
    const postgresOptions = { dataDirectory: join(directory, 'postgres'), durable: true, log };
    const [nats, postgres] = await Promise.all([
      startNatsServer(natsOptions),
      startPostgres(postgresOptions),
    ]);
    await migrate(postgres.url, log);
    await mkdir(join(directory, 'logs'));
    const ports = [await getPort(), await getPort()];
    const members = makeMembers(options, { DATABASE_URL: postgres.url, NATS_URL: nats.url }, ports);
    const cluster = new Cluster(
      { nats, postgres },
      {
        nats: () => startNatsServer({ ...natsOptions, port: nats.port }),
        postgres: () => startPostgres({ ...postgresOptions, port: postgres.port }),
      },
      members,
      ports.map((port) => `http://127.0.0.1:${port}`),
    );
    for (const member of cluster.members) member.start();
    await Promise.all(cluster.members.map((member) => member.whenReady(90_000)));
    return cluster;
  }

  get members(): readonly Member[] {
    return [...this.servers, ...this.workers];
  }

  /** False when it is down already. */
  killService(service: Service, awayMs: number): boolean {
    if (this.#away.has(service)) return false;
    const back = this.#restart(service, awayMs).finally(() => this.#away.delete(service));
    this.#away.set(service, back);
    return true;
  }

  async #restart(service: Service, awayMs: number): Promise<void> {
    const outage = { service, from: Date.now(), to: Number.POSITIVE_INFINITY };
    this.outages.push(outage);
    await this.#services[service].kill();
    await delay(awayMs);
    this.#services[service] = await this.#start[service]();
    outage.to = Date.now();
  }

  /** Resolves when everything runs and nothing is frozen. */
  async calm(): Promise<void> {
    await Promise.all(this.#away.values());
    for (const member of this.members) member.signal('SIGCONT');
    await Promise.all(this.members.map((member) => member.whenReady(90_000)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.end()));
    await Promise.all(this.servers.map((server) => server.end()));
    await Promise.allSettled(this.#away.values());
    await this.#services.nats.stop();
    await this.#services.postgres.stop();
  }
}

function makeMembers(
  { directory, workers, onSurprise }: ClusterOptions,
  services: Readonly<Record<string, string>>,
  ports: readonly number[],
): { readonly servers: readonly Member[]; readonly workers: readonly Member[] } {
  const common = (name: string) => ({ name, logFile: join(directory, 'logs', `${name}.log`), onSurprise });
  return {
    servers: ports.map(
      (port, index) =>
        new Member({
          ...common(`server${index + 1}`),
          script: pathOf('dist/src/main.js'),
          args: [],
          env: { ...services, ...SERVER_SETTINGS, PORT: String(port), DATA_DIR: join(directory, 'data') },
          plannedExitCodes: [],
        }),
    ),
    workers: Array.from(
      { length: workers },
      (_, index) =>
        new Member({
          ...common(`worker${index + 1}`),
          script: pathOf('dist/worker/main.js'),
          args: ['--engine', pathOf('test/support/scripted-engine.mjs'), '--slots', String(SLOTS)],
          env: {
            ...services,
            LOG_LEVEL: 'info',
            WORKER_GRACE_SECONDS: '1',
            DATA_DIR: join(directory, `worker${index + 1}`),
          },
          plannedExitCodes: [SCRIPTED_CRASH],
        }),
    ),
  };
}
