import { UnavailableError } from '../domain/errors.ts';
import type { Logger } from '../observability/logger.ts';
import { sleep } from '../process/wait.ts';
import { connectToNats, isConnected, type NatsConnection } from './connection.ts';

export interface NatsSessionOptions {
  readonly url: string;
  readonly credentialsFile: string | undefined;
  readonly name: string;
  readonly log: Logger;
}

/**
 * The server's one connection to NATS. The server starts and takes jobs without it; what needs it meanwhile is
 * refused with an error that callers may retry on.
 */
export class NatsSession {
  readonly #options: NatsSessionOptions;
  readonly #listeners = new Set<(nc: NatsConnection) => void>();
  readonly #closing = new AbortController();
  #nc: NatsConnection | null = null;

  constructor(options: NatsSessionOptions) {
    this.#options = options;
  }

  /** Connects in the background, for as long as it takes; tells of every new connection, until closed. */
  async run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const nc = await connectToNats({ ...this.#options, firstWaitMs: 5000 });
        this.#nc = nc;
        if (signal.aborted) return await nc.close();
        this.#announce(nc);
        for await (const status of nc.status()) {
          if (status.type === 'reconnect') this.#announce(nc);
        }
        // The client itself gives up on a login that is refused twice; a new one may be in its file by now.
        if (!signal.aborted) this.#options.log.warn('the connection to NATS was closed; making another');
      } catch (err) {
        this.#options.log.warn({ err }, 'NATS cannot be reached; jobs are taken and wait in the database');
      }
      await sleep(1000, signal);
    }
  }

  #announce(nc: NatsConnection): void {
    for (const listener of this.#listeners) listener(nc);
  }

  /** Calls back at once when connected, and after every reconnection: streams and sequences may be others then. */
  onConnected(listener: (nc: NatsConnection) => void): { stop(): void } {
    this.#listeners.add(listener);
    if (this.#nc !== null && this.connected) listener(this.#nc);
    return { stop: () => this.#listeners.delete(listener) };
  }

  get connected(): boolean {
    return this.#nc !== null && isConnected(this.#nc);
  }

  /** @throws UnavailableError while NATS is away. */
  get connection(): NatsConnection {
    if (this.#nc === null || !isConnected(this.#nc)) {
      throw new UnavailableError('The message broker cannot be reached just now.');
    }
    return this.#nc;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#nc?.close();
  }
}
