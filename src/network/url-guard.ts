import ipaddr from 'ipaddr.js';

/**
 * Why a recording may not be fetched from there, or null. This catches addresses written out in the URL at submit; the
 * worker checks every address that a name resolves to, again at each redirect.
 *
 * @param allowedNetworks CIDRs of private networks that may be used all the same.
 */
export function urlProblem(url: URL, allowedNetworks: readonly string[]): string | null {
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (url.username !== '' || url.password !== '') {
    return '`audio.url` must not hold a user name or password; use a signed URL instead.';
  }
  const blocked = `\`audio.url\` points to ${host}, which is not a public address. Upload the file instead, or let the operator allow its network (AUDIO_ALLOWED_NETWORKS).`;
  if (host === 'localhost' || host.endsWith('.localhost')) {
    return isAllowed('127.0.0.1', allowedNetworks) ? null : blocked;
  }
  if (!ipaddr.isValid(host)) return null;
  return ipaddr.process(host).range() === 'unicast' || isAllowed(host, allowedNetworks) ? null : blocked;
}

function isAllowed(host: string, allowedNetworks: readonly string[]): boolean {
  const address = ipaddr.process(host);
  return allowedNetworks.some((cidr) => {
    const [network, bits] = ipaddr.parseCIDR(cidr);
    return network.kind() === address.kind() && address.match(network, bits);
  });
}
