import dns from 'node:dns';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { useAgent } from 'request-filtering-agent';
import { FetchFailure } from './fetch-failure.ts';

const MAX_REDIRECTS = 5;
/** Until the headers of one hop: name, connection, TLS, the other side's thinking. */
const HEADERS_TIMEOUT_MS = 30_000;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface Guard {
  /** False for the service's own URLs, whose addresses are not checked. */
  readonly guarded: boolean;
  readonly allowedNetworks: readonly string[];
}

/**
 * GET with every hop checked: scheme, literal addresses, every address a name resolves to (the connection
 * goes to the address that was checked). Gives the answer of the last hop, whatever its status.
 * @throws EngineError of kind FETCH.
 */
export async function guardedGet(start: string, guard: Guard, signal: AbortSignal): Promise<IncomingMessage> {
  let url = parseUrl(start);
  for (let hop = 0; ; hop += 1) {
    const response = await getOnce(url, guard, signal);
    const location = response.headers.location;
    if (!REDIRECTS.has(response.statusCode ?? 0) || location === undefined) return response;
    response.destroy();
    if (hop === MAX_REDIRECTS) throw FetchFailure.tooManyRedirects(url.hostname, MAX_REDIRECTS);
    url = parseUrl(location, url);
  }
}

function parseUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base) ? new URL(text, base) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw FetchFailure.badUrl();
  return url;
}

function getOnce(url: URL, guard: Guard, signal: AbortSignal): Promise<IncomingMessage> {
  signal.throwIfAborted();
  const client = url.protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    const request = client.get(url, {
      signal,
      headers: { accept: 'audio/*, video/*, */*;q=0.5', 'accept-encoding': 'identity' },
      ...(guard.guarded ? guardedConnection(url, guard.allowedNetworks) : {}),
    });
    const deadline = setTimeout(
      () => request.destroy(FetchFailure.timeout(url.hostname)),
      HEADERS_TIMEOUT_MS,
    );
    request.once('response', (response) => {
      clearTimeout(deadline);
      resolve(response);
    });
    request.once('error', (error) => {
      clearTimeout(deadline);
      reject(signal.aborted ? signal.reason : FetchFailure.of(error, url.hostname));
    });
  });
}

/** The agent refuses every address outside the public internet, but those that this lets through one by one. */
function guardedConnection(url: URL, allowedNetworks: readonly string[]) {
  const isAllowed = networks(allowedNetworks);
  const allowIPAddressList: string[] = [];
  const allow = (address: string) => {
    if (isAllowed(address)) allowIPAddressList.push(address);
  };
  allow(url.hostname.replace(/^\[|\]$/g, ''));
  const lookup: LookupFunction = (hostname, options, callback) => {
    dns.lookup(hostname, options, (error, found, family) => {
      if (error === null) {
        for (const entry of Array.isArray(found) ? found : [{ address: found }]) allow(entry.address);
      }
      callback(error, found, family);
    });
  };
  return { agent: useAgent(url.href, { allowIPAddressList }), lookup };
}

function networks(cidrs: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', bits] = cidr.split('/');
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(network, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
