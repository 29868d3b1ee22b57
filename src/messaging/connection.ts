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

/** How the connection is made, and whether it stands right now. */
const standing = new WeakMap<NatsConnection, { connected: boolean }>();

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
  standing.set(connection, { connected: true });
  void followStatus(connection, options.log);
  return connection;
}

/**
 * False between a broken connection and the next one. What is published in between waits in the client and
 * goes out late, which is wrong for pulls and ticks.
 */
export function isConnected(nc: NatsConnection): boolean {
  return !nc.isClosed() && (standing.get(nc)?.connected ?? true);
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

async function followStatus(nc: NatsConnection, log: Logger): Promise<void> {
  for await (const status of nc.status()) {
    const state = standing.get(nc);
    switch (status.type) {
      case 'disconnect':
        if (state !== undefined) state.connected = false;
        log.warn({ server: status.server }, 'connection to NATS lost');
        break;
      case 'reconnect':
        if (state !== undefined) state.connected = true;
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
