import getPort, { portNumbers } from 'get-port';
import { ConfigError, type ServerConfig } from '../config/config.ts';
import type { Logger } from '../observability/logger.ts';
import { migrate } from '../storage/migrate.ts';
import { addressOf, startServices } from './services.ts';
import type { Shutdown } from './shutdown.ts';
import type { Terminal } from './terminal.ts';

/** Shorter than the default, so that Ctrl-C ends quickly. */
const GRACE_SECONDS = '3';

interface LocalEnvironmentOptions {
  readonly config: ServerConfig;
  readonly dataDirectory: string;
  readonly log: Logger;
  readonly shutdown: Shutdown;
  readonly terminal: Terminal;
}

interface LocalEnvironment {
  /** For the server and the worker. */
  readonly env: NodeJS.ProcessEnv;
  /** Resolves with the reason when Postgres or NATS is given up. */
  readonly lost: Promise<unknown>;
}

/** Starts Postgres and NATS, migrates the database, and gives the environment of the programs that use them. */
export async function startLocalEnvironment({
  config,
  dataDirectory,
  log,
  shutdown,
  terminal,
}: LocalEnvironmentOptions): Promise<LocalEnvironment> {
  const port = await choosePort(config);
  terminal.say('Starting the transcription service.\n');
  const services = await startServices({
    dataDirectory,
    databaseUrl: process.env.DATABASE_URL || undefined,
    natsUrl: process.env.NATS_URL || undefined,
    log,
    signal: shutdown.signal,
    onNotice: (text) => terminal.say(text),
  });
  shutdown.add(services.stop);
  terminal.say(
    `  Postgres   ${addressOf(services.databaseUrl)}\n  NATS       ${addressOf(services.natsUrl)}`,
  );
  await migrate(services.databaseUrl, log);
  const env: NodeJS.ProcessEnv = {
    SHUTDOWN_GRACE_SECONDS: GRACE_SECONDS,
    WORKER_GRACE_SECONDS: GRACE_SECONDS,
    ...process.env,
    DATABASE_URL: services.databaseUrl,
    NATS_URL: services.natsUrl,
    DATA_DIR: dataDirectory,
    HOST: config.HOST,
    PORT: String(port),
  };
  return { lost: services.lost, env };
}

/** PORT if it is set and free, else the default port or the next free one. */
async function choosePort(config: ServerConfig): Promise<number> {
  if (!process.env.PORT) return getPort({ port: portNumbers(config.PORT, config.PORT + 99) });
  const port = await getPort(config.PORT === 0 ? {} : { port: config.PORT, host: config.HOST });
  if (config.PORT === 0 || port === config.PORT) return port;
  throw new ConfigError(
    `PORT is ${config.PORT}, which another program uses. Choose another one, or leave PORT unset.`,
  );
}
