import type pg from 'pg';
import type { QueueName } from '../domain/vocabulary.ts';
import type { Logger } from '../observability/logger.ts';
import { CHANNELS } from './channels.ts';
import { createClient, endClient } from './database-client.ts';

export interface JobListenerHandlers {
  /** After the commit of a job's insert, change or deletion by any server. */
  onJobChanged(jobId: string): void;
  onJobsWaiting(queue: QueueName): void;
  onJobsTimed(): void;
  /** Listening started, or started again: earlier notifications may have been missed. */
  onListening(): void;
}

const RECONNECT_MS = 1000;
const CHECK_MS = 5000;

/** Receives the notifications of what other servers commit, over a connection of its own, which it renews. */
export class JobListener {
  readonly #url: string;
  readonly #handlers: JobListenerHandlers;
  readonly #log: Logger;
  #client: pg.Client | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(url: string, handlers: JobListenerHandlers, log: Logger) {
    this.#url = url;
    this.#handlers = handlers;
    this.#log = log;
  }

  /** Resolves after the first attempt to listen, whether or not it succeeded. */
  async start(): Promise<void> {
    const client = createClient(this.#url, 'listener');
    client.on('error', (err) => this.#broken(client, err));
    client.on('end', () => this.#broken(client, new Error('the connection was closed')));
    client.on('notification', ({ channel, payload }) => this.#receive(channel, payload ?? ''));
    this.#client = client;
    try {
      await client.connect();
      for (const channel of Object.values(CHANNELS)) await client.query(`LISTEN ${channel}`);
      this.#handlers.onListening();
      this.#timer = setTimeout(() => void this.#check(client), CHECK_MS);
    } catch (err) {
      this.#broken(client, err);
    }
  }

  /** Silence can also mean that the server is gone, so an idle connection is checked. */
  async #check(client: pg.Client): Promise<void> {
    try {
      await client.query('SELECT 1');
    } catch (err) {
      this.#broken(client, err);
      return;
    }
    if (!this.#closed && client === this.#client)
      this.#timer = setTimeout(() => void this.#check(client), CHECK_MS);
  }

  #receive(channel: string, payload: string): void {
    if (channel === CHANNELS.jobChanged) this.#handlers.onJobChanged(payload);
    else if (channel === CHANNELS.jobsWaiting) this.#handlers.onJobsWaiting(payload as QueueName);
    else this.#handlers.onJobsTimed();
  }

  #broken(client: pg.Client, err: unknown): void {
    if (this.#closed || client !== this.#client) return;
    this.#client = null;
    this.#log.warn({ err }, 'lost the connection for notifications of the database; reconnecting');
    void endClient(client);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.start(), RECONNECT_MS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#client !== null) await endClient(this.#client);
  }
}
