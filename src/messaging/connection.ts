import { EventEmitter, once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import {
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
} from '@nats-io/transport-node';
import type { Logger } from '../observability/logger.ts';
import { unlessAborted } from '../process/wait.ts';

export type { NatsConnection } from '@nats-io/transport-node';

/** NATS cannot be reached, or refuses the login; the message names the address and the remedy. */
class NatsUnreachableError extends Error {
  override readonly name = 'NatsUnreachableError';
}

/** There is no connection. The client drops what is sent meanwhile, so the caller must send it again. */
export class NatsAwayError extends Error {
  override readonly name = 'NatsAwayError';
}

const FIRST_TRY_INTERVAL_MS = 250;

/**
 * Connects, and reconnects without limit from then on: a caller never needs a second connection.
 *
 * @param options.firstWaitMs How long to wait for a server that is not up yet.
 * @throws NatsUnreachableError
 */
export async function connectToNats(options: {
  readonly url: string;
  readonly credentialsFile?: string | undefined;
  readonly name: string;
  readonly log: Logger;
  readonly firstWaitMs?: number | undefined;
}): Promise<NatsConnection> {
  const link = new Link();
  const settings: NodeConnectionOptions = {
    servers: options.url.split(',').map((url) => url.trim()),
    name: options.name,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => link.retryDelayMs,
    pingInterval: 20_000,
    maxPingOut: 2,
    timeout: 5_000,
    noAsyncTraces: true,
    ...(await authentication(options.credentialsFile)),
  };
  const connection = await firstConnection(settings, options.url, options.firstWaitMs ?? 15_000);
  links.set(connection, link);
  void followStatus(connection, link, options.log);
  return connection;
}

/** False between a broken connection and the next one. */
export function isConnected(nc: NatsConnection): boolean {
  return !nc.isClosed() && (links.get(nc)?.isUp ?? true);
}

/**
 * Asks while there is a connection: waits for one if need be, and fails as soon as it breaks, since no answer can come
 * then. The client alone would wait until its timeout.
 *
 * @throws NatsAwayError; what `ask` throws.
 */
export async function whileConnected<Answer>(
  nc: NatsConnection,
  waitMs: number,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const link = links.get(nc);
  if (link === undefined) return ask();
  const broken = await link.untilUp(waitMs);
  return unlessAborted(ask(), broken);
}

/** The state of a connection, from its status events. */
class Link {
  #tries = 0;
  #broken = new AbortController();
  readonly #events = new EventEmitter<{ up: [] }>().setMaxListeners(0);
  retryDelayMs = reconnectDelay(0, Math.random());

  get isUp(): boolean {
    return !this.#broken.signal.aborted;
  }

  tries(): void {
    this.#tries += 1;
    this.retryDelayMs = reconnectDelay(this.#tries, Math.random());
  }

  breaks(): void {
    this.#broken.abort(new NatsAwayError('the connection to NATS broke'));
  }

  returns(): void {
    this.#tries = 0;
    this.#broken = new AbortController();
    this.#events.emit('up');
  }

  /** A signal that aborts when the connection breaks. */
  async untilUp(waitMs: number): Promise<AbortSignal> {
    if (!this.isUp) {
      try {
        await once(this.#events, 'up', { signal: AbortSignal.timeout(waitMs) });
      } catch (cause) {
        throw new NatsAwayError(`no connection to NATS for ${waitMs} ms`, { cause });
      }
    }
    return this.#broken.signal;
  }
}
const links = new WeakMap<NatsConnection, Link>();

/**
 * Random over its whole length, and longer after some tries, so that a large fleet does not return in one moment. The
 * first tries come quickly: most outages are restarts.
 *
 * @param random 0 to 1.
 */
export function reconnectDelay(tries: number, random: number): number {
  return Math.round(100 + random * Math.min(15_000, 500 * 2 ** Math.max(0, tries - 4)));
}

async function authentication(credentialsFile: string | undefined): Promise<NodeConnectionOptions> {
  if (credentialsFile === undefined) return {};
  try {
    return { authenticator: credsAuthenticator(await readFile(credentialsFile)) };
  } catch (cause) {
    throw new NatsUnreachableError(`The NATS credentials file ${credentialsFile} cannot be read.`, { cause });
  }
}

async function firstConnection(
  settings: NodeConnectionOptions,
  url: string,
  waitMs: number,
): Promise<NatsConnection> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    try {
      return await connect(settings);
    } catch (cause) {
      const refused = cause instanceof Error && /authori[sz]ation|authentication/i.test(cause.message);
      if (refused || performance.now() >= deadline) {
        const remedy = refused
          ? 'refused the login; check NATS_CREDS or the user in NATS_URL'
          : `did not answer within ${Math.round(waitMs / 1000)} s; check NATS_URL and that nats-server runs with JetStream`;
        throw new NatsUnreachableError(`NATS at ${withoutLogin(url)} ${remedy}.`, { cause });
      }
      await delay(FIRST_TRY_INTERVAL_MS);
    }
  }
}

async function followStatus(nc: NatsConnection, link: Link, log: Logger): Promise<void> {
  for await (const status of nc.status()) {
    switch (status.type) {
      case 'disconnect':
        link.breaks();
        log.warn({ server: status.server }, 'connection to NATS lost');
        break;
      case 'reconnecting':
        link.tries();
        break;
      case 'reconnect':
        link.returns();
        log.info({ server: status.server }, 'connection to NATS restored');
        break;
      case 'error':
        log.error({ err: status.error }, 'NATS reports an error');
        break;
      case 'staleConnection':
      case 'slowConsumer':
      case 'ldm':
        log.warn({ status: status.type }, 'NATS connection');
        break;
      default:
        log.debug({ status: status.type }, 'NATS connection');
    }
  }
}

function withoutLogin(url: string): string {
  return url.replaceAll(/\/\/[^@/,]*@/g, '//');
}
