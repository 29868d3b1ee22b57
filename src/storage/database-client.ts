import type { Socket } from 'node:net';
import pg from 'pg';

/** Of the connections that are not of a pool; what they ask takes milliseconds. */
const QUERY_TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 5000;
const END_TIMEOUT_MS = 2000;

/** Probes an idle connection, so that it does not outlive its peer or the patience of a firewall. */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const;

/** A connection of its own, to listen on or to hold a lock with. No query of it waits for more than 5 s. */
export function createClient(url: string, name: string): pg.Client {
  return new pg.Client({
    connectionString: url,
    application_name: `transcription-service ${name}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    ...KEEP_ALIVE,
  });
}

/** Ends a connection, also one whose server no longer answers. Never rejects. */
export async function endClient(client: pg.Client): Promise<void> {
  // A peer that hangs never confirms the goodbye.
  const timer = setTimeout(() => socketOf(client).destroy(), END_TIMEOUT_MS);
  await client.end().catch(() => undefined); // A broken one is closed already.
  clearTimeout(timer);
}

/**
 * Ends a connection on which nothing was said for this long: `statement_timeout` is kept by the server, and one that
 * is stopped or cut off keeps nothing. What waits on it fails with ETIMEDOUT. node-postgres' own `query_timeout` would
 * leave the connection in the pool with its query still running.
 */
export function endWhenSilent(client: pg.ClientBase, silenceMs: number): void {
  const socket = socketOf(client);
  socket.setTimeout(silenceMs, () => {
    const message = `the database said nothing for ${silenceMs} ms`;
    socket.destroy(Object.assign(new Error(message), { code: 'ETIMEDOUT' }));
  });
}

function socketOf(client: pg.ClientBase): Socket {
  return (client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream;
}
