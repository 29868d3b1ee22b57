import type { IncomingMessage } from 'node:http';
import type { Principal } from '../domain/principal.ts';

/** All callers are one tenant until there are API keys; no other file names that tenant. */
export const ANONYMOUS: Principal = { tenantId: 'ten_default', actor: 'anonymous' };

/**
 * The principal of a request or a websocket.
 *
 * @param _connectionParams What a websocket client sends with `connection_init`; empty for HTTP.
 */
export async function authenticate(
  _request: IncomingMessage,
  _connectionParams: Readonly<Record<string, unknown>>,
): Promise<Principal> {
  return ANONYMOUS;
}
