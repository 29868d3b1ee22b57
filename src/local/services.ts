import { join } from 'node:path';
import getPort from 'get-port';
import type { Logger } from '../observability/logger.ts';
import type { LocalService } from './local-service.ts';
import { startNatsServer } from './nats-server.ts';
import { startPostgres } from './postgres.ts';

export interface Services {
  readonly databaseUrl: string;
  readonly natsUrl: string;
  /** Settles, with the reason, when a service that we started can't be kept up. */
  readonly lost: Promise<Error>;
  /** Stops what we started, and only that. */
  stop(): Promise<void>;
  killNow(): void;
}

export interface ServicesOptions {
  readonly dataDirectory: string;
  /** Used instead of our own when set. */
  readonly databaseUrl: string | undefined;
  readonly natsUrl: string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly onNotice: (text: string) => void;
}

const USUAL_PORTS = { postgres: 5432, nats: 4222 };
const MAX_RESTARTS = 3;

/** Starts the Postgres and the nats-server that the environment does not name, and keeps them up. */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { dataDirectory, databaseUrl, natsUrl, log, signal } = options;
  const running: KeptService[] = [];
  const keep = async (name: string, start: Start, usualPort: number): Promise<string> => {
    const kept = new KeptService(name, start, options.onNotice);
    running.push(kept);
    return kept.start(await getPort({ port: usualPort }));
  };
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((service) => service.stop()));
  };
  const postgres: Start = (port) =>
    startPostgres({ dataDirectory: join(dataDirectory, 'postgres'), durable: true, log, port, signal });
  const nats: Start = (port) =>
    startNatsServer({ dataDirectory: join(dataDirectory, 'nats'), log, port, signal });
  const starting = await Promise.allSettled([
    databaseUrl ?? keep('Postgres', postgres, USUAL_PORTS.postgres),
    natsUrl ?? keep('nats-server', nats, USUAL_PORTS.nats),
  ]);
  const urls = starting.map((result) => (result.status === 'fulfilled' ? result.value : ''));
  const failure = starting.find((result) => result.status === 'rejected');
  if (failure !== undefined) {
    await stop();
    throw failure.reason;
  }
  return {
    databaseUrl: urls[0] as string,
    natsUrl: urls[1] as string,
    lost: Promise.race(running.map((service) => service.lost)),
    stop,
    killNow: () => {
      for (const service of running) service.killNow();
    },
  };
}

/** What people need of a URL, or of several by commas: where it is, without its login. */
export function addressOf(urls: string): string {
  const addresses = urls.split(',').map((url) => {
    const trimmed = url.trim();
    const host = URL.canParse(trimmed) ? new URL(trimmed).host : '';
    return host === '' ? trimmed.replace(/^(\w+:\/\/)?[^@/]*@/, '') : host;
  });
  return addresses.join(', ');
}

type Start = (port: number) => Promise<LocalService>;

/** A service that comes back on the same port, with its data, when its process dies. */
class KeptService {
  readonly lost: Promise<Error>;
  readonly #lose: (reason: Error) => void;
  readonly #name: string;
  readonly #start: Start;
  readonly #onNotice: (text: string) => void;
  #service: LocalService | null = null;
  #stopping = false;

  constructor(name: string, start: Start, onNotice: (text: string) => void) {
    let lose: (reason: Error) => void = () => undefined;
    this.lost = new Promise((resolve) => {
      lose = resolve;
    });
    this.#lose = (reason) => lose(reason);
    this.#name = name;
    this.#start = start;
    this.#onNotice = onNotice;
  }

  async start(port: number): Promise<string> {
    const service = await this.#start(port);
    this.#service = service;
    void this.#keepUp(service);
    return service.url;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#service?.stop();
  }

  killNow(): void {
    this.#stopping = true;
    void this.#service?.kill();
  }

  async #keepUp(first: LocalService): Promise<void> {
    let service = first;
    for (let restarts = 0; ; restarts += 1) {
      const how = await service.exited;
      if (this.#stopping) return;
      if (restarts >= MAX_RESTARTS) return this.#lose(new Error(`${this.#name} keeps ending (${how}).`));
      this.#onNotice(`${this.#name} ended (${how}); starting it again.`);
      try {
        await service.stop();
        service = await this.#start(first.port);
        this.#service = service;
        if (this.#stopping) return await service.stop();
        this.#onNotice(`${this.#name} is back.`);
      } catch (error) {
        return this.#lose(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }
}
