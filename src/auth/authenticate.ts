import type { IncomingMessage } from 'node:http';
import type { Principal } from '../domain/principal.ts';

/** Everybody is one tenant until keys exist; this is the only place that says so. */
export const ANONYMOUS: Principal = { tenantId: 'ten_default', actor: 'anonymous' };

/**
 * Who sends a request or opens a socket.
 *
 * @param _connectionParams What a websocket client gives with `connection_init`; empty for HTTP.
 */
export async function authenticate(
  _request: IncomingMessage,
  _connectionParams: Readonly<Record<string, unknown>>,
): Promise<Principal> {
  return ANONYMOUS;
}
