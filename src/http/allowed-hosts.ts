import { isIP } from 'node:net';
import type { ServerConfig } from '../config/config.ts';

export type HostConfig = Pick<
  ServerConfig,
  'HOST' | 'PUBLIC_URL' | 'WORKER_URL' | 'CORS_ORIGINS' | 'ALLOWED_HOSTS'
>;

/**
 * Checks that a request's `Host` is a name of this service. Otherwise a page of any domain could make its own name
 * resolve to this machine (DNS rebinding) and count as the same origin. IP addresses cannot be rebound.
 */
export function createHostCheck(config: HostConfig): (host: string | undefined) => boolean {
  const names = new Set<string>([config.HOST.toLowerCase(), ...config.ALLOWED_HOSTS.map(nameOf)]);
  for (const url of [config.PUBLIC_URL, config.WORKER_URL, ...config.CORS_ORIGINS]) {
    if (url !== undefined && URL.canParse(url)) names.add(new URL(url).hostname);
  }
  const isAnyAllowed = config.ALLOWED_HOSTS.includes('*') || config.CORS_ORIGINS.includes('*');
  return (host) => {
    // Browsers always send it.
    if (host === undefined || isAnyAllowed) return true;
    const name = nameOf(host);
    return isAddress(name) || name === 'localhost' || name.endsWith('.localhost') || names.has(name);
  };
}

/** The host without its port, normalized as in URLs. */
function nameOf(host: string): string {
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname.replace(/\.$/, '') : host;
}

function isAddress(name: string): boolean {
  return isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
}
