import type { Socket } from 'node:net';
import pg from 'pg';

/** For connections outside the pools, whose queries take milliseconds. */
const QUERY_TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 5000;
const END_TIMEOUT_MS = 2000;

/** Finds dead peers on idle connections, and keeps firewalls from dropping them. */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const;

/** A connection outside the pools, to listen on or to hold a lock with. Its queries time out after 5 s. */
export function createClient(url: string, name: string): pg.Client {
  return new pg.Client({
    connectionString: url,
    application_name: `transcription-service ${name}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    ...KEEP_ALIVE,
  });
}

/** Closes a connection, even when its server no longer answers. Never rejects. */
export async function endClient(client: pg.Client): Promise<void> {
  // A peer that hangs never confirms the end of the session.
  const timer = setTimeout(() => socketOf(client).destroy(), END_TIMEOUT_MS);
  await client.end().catch(() => undefined); // A broken one is closed already.
  clearTimeout(timer);
}

/**
 * Closes a connection without traffic for this time; its query fails with ETIMEDOUT. `statement_timeout` does not
 * help here, because the server enforces it, and a server that is suspended or cut off does not. node-postgres' own
 * `query_timeout` would leave the connection in the pool with its query still running.
 */
export function endWhenSilent(client: pg.ClientBase, silenceMs: number): void {
  const socket = socketOf(client);
  socket.setTimeout(silenceMs, () => {
    const message = `the database did not respond for ${silenceMs} ms`;
    socket.destroy(Object.assign(new Error(message), { code: 'ETIMEDOUT' }));
  });
}

function socketOf(client: pg.ClientBase): Socket {
  return (client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream;
}
