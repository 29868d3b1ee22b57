import { isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** All that IANA has given out as global unicast; the rest of IPv6 includes addresses that embed private IPv4 ones. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

/**
 * Whether recordings may come from an address: a public one, or one in a network that the operator allows.
 *
 * @param address An IP address.
 * @param allowedNetworks CIDRs.
 */
export function isAllowedAddress(address: string, allowedNetworks: readonly string[]): boolean {
  const parsed = ipaddr.process(isIPv6(address) ? withoutDots(address) : address);
  return isPublic(parsed) || allowedNetworks.some((cidr) => isWithin(parsed, ipaddr.parseCIDR(cidr)));
}

function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return address.range() === 'unicast' && (address.kind() === 'ipv4' || isWithin(address, GLOBAL_IPV6));
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, cidr: [ipaddr.IPv4 | ipaddr.IPv6, number]): boolean {
  return address.kind() === cidr[0].kind() && address.match(cidr);
}

/** `::1.2.3.4` as `::102:304`, without a zone: ipaddr.js takes the dotted form for `::ffff:1.2.3.4`. */
function withoutDots(address: string): string {
  return new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname.slice(1, -1);
}
