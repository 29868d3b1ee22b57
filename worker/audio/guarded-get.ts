import { Agent, type Dispatcher, request } from 'undici';
import { guardedAgent } from '../../src/network/guarded-agent.ts';
import { FetchFailure } from './fetch-failure.ts';

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** For the connection, then for the headers, then between two chunks of the body that the reader waits for. */
const TIMEOUT_MS = 30_000;
const TIMEOUTS = { headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS, connect: { timeout: TIMEOUT_MS } };
const HEADERS = { accept: 'audio/*, video/*, */*;q=0.5', 'accept-encoding': 'identity' };

export interface Guard {
  /** False for the service's own URLs, whose addresses are not checked. */
  readonly guarded: boolean;
  readonly allowedNetworks: readonly string[];
}

/**
 * GET with the scheme and the address of every hop checked. Gives the response of the last hop, whatever its status.
 *
 * @throws EngineError of kind FETCH, or the signal's reason.
 */
export async function guardedGet(
  start: string,
  guard: Guard,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  const dispatcher = guard.guarded ? guardedAgent(guard.allowedNetworks, TIMEOUTS) : new Agent(TIMEOUTS);
  let url = parseUrl(start);
  for (let hop = 0; ; hop += 1) {
    const { hostname } = url;
    const response = await request(url, { dispatcher, signal, headers: HEADERS }).catch((error: Error) => {
      throw signal.aborted ? signal.reason : FetchFailure.of(error, hostname);
    });
    const location = response.headers.location;
    if (!REDIRECTS.has(response.statusCode) || typeof location !== 'string') return response;
    // Giving up the rest of a redirect's body is an error of that stream.
    response.body.once('error', () => undefined).destroy();
    if (hop === MAX_REDIRECTS) throw FetchFailure.tooManyRedirects(hostname, MAX_REDIRECTS);
    url = parseUrl(location, url);
  }
}

function parseUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base) ? new URL(text, base) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw FetchFailure.badUrl();
  return url;
}
