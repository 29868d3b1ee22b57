import { EventEmitter, once } from 'node:events';
import { readFile } from 'node:fs/promises';
import {
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
} from '@nats-io/transport-node';
import type { Logger } from '../observability/logger.ts';

export type { NatsConnection } from '@nats-io/transport-node';

/** NATS cannot be reached, or does not let us in; the message names the address and the remedy. */
export class NatsUnreachableError extends Error {
  override readonly name = 'NatsUnreachableError';
}

/** The connection is away; the client drops what is sent meanwhile, so the caller sends it again. */
export class NatsAwayError extends Error {
  override readonly name = 'NatsAwayError';
}

/** Whether a connection stands right now, and news of that. */
interface Standing {
  connected: boolean;
  readonly news: EventEmitter<{ lost: []; back: [] }>;
}
const standings = new WeakMap<NatsConnection, Standing>();

/**
 * Connects, and from then on reconnects for ever: a caller never has to make a second connection.
 *
 * @param options.firstWaitMs How long to wait for a server that is not there yet.
 * @throws NatsUnreachableError
 */
export async function connectToNats(options: {
  readonly url: string;
  readonly credentialsFile?: string | undefined;
  readonly name: string;
  readonly log: Logger;
  readonly firstWaitMs?: number | undefined;
}): Promise<NatsConnection> {
  const settings: NodeConnectionOptions = {
    servers: options.url.split(',').map((url) => url.trim()),
    name: options.name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    pingInterval: 20_000,
    maxPingOut: 2,
    timeout: 5_000,
    noAsyncTraces: true,
    ...(await authentication(options.credentialsFile)),
  };
  const connection = await firstConnection(settings, options.url, options.firstWaitMs ?? 15_000);
  const standing: Standing = { connected: true, news: new EventEmitter() };
  standing.news.setMaxListeners(0);
  standings.set(connection, standing);
  void followStatus(connection, standing, options.log);
  return connection;
}

/** False between a broken connection and the next one: what is published in between never arrives. */
export function isConnected(nc: NatsConnection): boolean {
  return !nc.isClosed() && (standings.get(nc)?.connected ?? true);
}

/**
 * Asks when the connection stands, waiting for it if need be, and gives up as soon as it breaks: the client
 * itself would wait for an answer that can't come any more.
 *
 * @throws NatsAwayError; what `ask` throws.
 */
export async function whileConnected<Answer>(
  nc: NatsConnection,
  waitMs: number,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const standing = standings.get(nc);
  if (standing === undefined) return ask();
  if (!standing.connected) await untilBack(standing, waitMs);
  let onLost: () => void = () => undefined;
  const lost = new Promise<never>((_, reject) => {
    onLost = () => reject(new NatsAwayError('the connection to NATS broke'));
    standing.news.once('lost', onLost);
  });
  try {
    const answer = ask();
    // The loser of the race may fail later, with nobody left to listen.
    answer.catch(() => undefined);
    return await Promise.race([answer, lost]);
  } finally {
    // Also when `ask` throws instead of rejecting: nobody would hear `lost`, and that ends the process.
    standing.news.off('lost', onLost);
  }
}

async function untilBack(standing: Standing, waitMs: number): Promise<void> {
  try {
    await once(standing.news, 'back', { signal: AbortSignal.timeout(waitMs) });
  } catch (cause) {
    throw new NatsAwayError(`no connection to NATS for ${waitMs} ms`, { cause });
  }
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
  const deadline = Date.now() + waitMs;
  for (;;) {
    try {
      return await connect(settings);
    } catch (cause) {
      const refused = cause instanceof Error && /authori[sz]ation|authentication/i.test(cause.message);
      if (refused || Date.now() >= deadline) {
        const remedy = refused
          ? 'refused the login; check NATS_CREDS or the user in NATS_URL'
          : `did not answer within ${Math.round(waitMs / 1000)} s; check NATS_URL and that nats-server runs with JetStream`;
        throw new NatsUnreachableError(`NATS at ${withoutLogin(url)} ${remedy}.`, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

async function followStatus(nc: NatsConnection, standing: Standing, log: Logger): Promise<void> {
  for await (const status of nc.status()) {
    switch (status.type) {
      case 'disconnect':
        standing.connected = false;
        standing.news.emit('lost');
        log.warn({ server: status.server }, 'connection to NATS lost');
        break;
      case 'reconnect':
        standing.connected = true;
        standing.news.emit('back');
        log.info({ server: status.server }, 'connection to NATS is back');
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
