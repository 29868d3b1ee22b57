import { join } from 'node:path';
import type { Logger } from '../observability/logger.ts';
import { unlessAborted } from '../process/wait.ts';
import { type KeepOptions, KeptRunning } from './keep-running.ts';
import type { LocalService } from './local-service.ts';
import { startNatsServer } from './nats-server.ts';
import { startPostgres } from './postgres.ts';

export interface Services {
  readonly databaseUrl: string;
  readonly natsUrl: string;
  /** Resolves with the reason when a service that was started here is given up. */
  readonly lost: Promise<unknown>;
  /** Stops only what was started here. */
  stop(): Promise<void>;
}

export interface ServicesOptions {
  readonly dataDirectory: string;
  /** If set, no Postgres is started. */
  readonly databaseUrl: string | undefined;
  /** If set, no nats-server is started. */
  readonly natsUrl: string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly onNotice: (text: string) => void;
}

/** Starts Postgres and nats-server unless they are configured, and keeps them running. */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { dataDirectory, log, onNotice } = options;
  const kept: KeptRunning<LocalService>[] = [];
  const keep = (name: string, start: KeepOptions<LocalService>['start']): Promise<string> => {
    const service = new KeptRunning({ name, start, onNotice });
    kept.push(service);
    return service.started.then(({ url }) => url);
  };
  const inFolder = (name: string, signal: AbortSignal, first: LocalService | undefined) => {
    return { dataDirectory: join(dataDirectory, name), port: first?.port, log, signal };
  };
  const stop = async (): Promise<void> => {
    await Promise.all(kept.map((service) => service.stop()));
  };
  const starting = Promise.all([
    options.databaseUrl ??
      keep('Postgres', (signal, first) =>
        startPostgres({ ...inFolder('postgres', signal, first), durable: true, usualPort: 5432 }),
      ),
    options.natsUrl ??
      keep('nats-server', (signal, first) =>
        startNatsServer({ ...inFolder('nats', signal, first), usualPort: 4222 }),
      ),
  ]);
  try {
    const [databaseUrl, natsUrl] = await unlessAborted(starting, options.signal);
    return { databaseUrl, natsUrl, lost: Promise.race(kept.map(({ ended }) => ended)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The hosts of one or several URLs, without the logins. */
export function addressOf(urls: string): string {
  const addresses = urls.split(',').map((url) => {
    const trimmed = url.trim();
    const host = URL.canParse(trimmed) ? new URL(trimmed).host : '';
    return host === '' ? trimmed.replace(/^(\w+:\/\/)?[^@/]*@/, '') : host;
  });
  return addresses.join(', ');
}
