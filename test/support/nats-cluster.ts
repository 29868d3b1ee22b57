import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import getPort from 'get-port';
import { findClusterNatsServer } from '../../src/local/find-nats-server.ts';
import { type Service, startService } from '../../src/local/start-service.ts';
import { createLogger, type Logger } from '../../src/observability/logger.ts';

const CONFIGURATION = fileURLToPath(new URL('../../deploy/nats-cluster/nats.conf', import.meta.url));

/** One nats-server of a cluster; its data outlives `kill` and `stop`. */
interface NatsNode {
  readonly name: string;
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** Parts it from the others without closing a connection. */
  freeze(): void;
  thaw(): void;
}

export interface NatsCluster {
  /** All nodes, by commas, as `NATS_URL` takes them. */
  readonly url: string;
  readonly nodes: readonly NatsNode[];
  /** Stops what runs and removes the data. */
  dispose(): Promise<void>;
}

/** Three nats-servers with the configuration of deploy/nats-cluster, on free ports of loopback. */
export async function startNatsCluster(directory?: string): Promise<NatsCluster> {
  const log = createLogger('test', process.env.LOG_LEVEL ?? 'warn');
  const { path } = await findClusterNatsServer(process.env, log);
  const root = directory ?? (await mkdtemp(join(tmpdir(), 'transcription-nats-cluster-')));
  const names = ['a', 'b', 'c'] as const;
  const ports = await Promise.all(names.map(async () => [await getPort(), await getPort()] as const));
  const routes = Object.fromEntries(
    names.map((name, index) => [`ROUTE_${name.toUpperCase()}`, `nats://127.0.0.1:${ports[index]?.[1]}`]),
  );
  const nodes = names.map((name, index) => {
    const [clientPort = 0, clusterPort = 0] = ports[index] ?? [];
    return createNode(name, path, join(root, name), log, clientPort, {
      ...routes,
      NODE_NAME: name,
      CLIENT_LISTEN: `127.0.0.1:${clientPort}`,
      CLUSTER_LISTEN: `127.0.0.1:${clusterPort}`,
    });
  });
  const dispose = async (): Promise<void> => {
    for (const node of nodes) node.thaw();
    await Promise.all(nodes.map((node) => node.stop()));
    await rm(root, { recursive: true, force: true });
  };
  try {
    await Promise.all(nodes.map((node) => node.start()));
  } catch (error) {
    await dispose();
    throw error;
  }
  return { url: nodes.map((node) => node.url).join(','), nodes, dispose };
}

function createNode(
  name: string,
  program: string,
  store: string,
  log: Logger,
  port: number,
  env: Readonly<Record<string, string>>,
): NatsNode {
  let server: Service | null = null;
  const end = async (how: 'stop' | 'kill'): Promise<void> => {
    await server?.[how]();
    server = null;
  };
  return {
    name,
    url: `nats://127.0.0.1:${port}`,
    async start() {
      await mkdir(store, { recursive: true });
      server = await startService({
        name: `nats-server ${name}`,
        command: [program, '-c', CONFIGURATION],
        env: { ...env, STORE_DIR: store },
        ready: /Server is ready/,
        log,
      });
    },
    stop: () => end('stop'),
    kill: () => end('kill'),
    freeze: () => signal(server, 'SIGSTOP'),
    thaw: () => signal(server, 'SIGCONT'),
  };
}

function signal(server: Service | null, name: 'SIGSTOP' | 'SIGCONT'): void {
  if (server !== null) process.kill(server.pid, name);
}
