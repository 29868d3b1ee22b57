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
 * The server's one connection to NATS. The server starts and accepts jobs without it. Calls that need the connection
 * throw an error that callers may retry on.
 */
export class NatsSession {
  readonly #options: NatsSessionOptions;
  readonly #listeners = new Set<(nc: NatsConnection) => void>();
  readonly #closing = new AbortController();
  #nc: NatsConnection | null = null;

  constructor(options: NatsSessionOptions) {
    this.#options = options;
  }

  /** Connects, for as long as it takes, and calls the listeners at every new connection, until closed. */
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
        // The client gives up on a login that was refused twice; the credentials file may have a new one by now.
        if (!signal.aborted) this.#options.log.warn('the connection to NATS was closed; connecting again');
      } catch (err) {
        this.#options.log.warn({ err }, 'NATS cannot be reached; accepted jobs wait in the database');
      }
      await sleep(1000, signal);
    }
  }

  #announce(nc: NatsConnection): void {
    for (const listener of this.#listeners) listener(nc);
  }

  /** Calls at once when connected, and after every reconnect: streams and sequences may be different then. */
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
      throw new UnavailableError('The message broker is unavailable; retry later.');
    }
    return this.#nc;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#nc?.close();
  }
}
