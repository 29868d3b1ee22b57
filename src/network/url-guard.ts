import { isIP } from 'node:net';
import { isAllowedAddress } from './allowed-address.ts';

/**
 * Why a recording may not be fetched from there, or null. Catches addresses written out in the URL, in whatever
 * notation; the worker checks every address that a name resolves to, at each redirect again.
 *
 * @param allowedNetworks CIDRs of private networks that may be used all the same.
 */
export function urlProblem(url: URL, allowedNetworks: readonly string[]): string | null {
  if (url.username !== '' || url.password !== '') {
    return '`audio.url` must not contain a user name or password; use a signed URL instead.';
  }
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '');
  const address = host === 'localhost' || host.endsWith('.localhost') ? '127.0.0.1' : host;
  if (isIP(address) === 0 || isAllowedAddress(address, allowedNetworks)) return null;
  return `\`audio.url\` points to ${host}, which is not a public address. Upload the file instead, or ask the operator to allow its network (AUDIO_ALLOWED_NETWORKS).`;
}
