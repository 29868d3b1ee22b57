import { lookup as resolve } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector } from 'undici';
import { isAllowedAddress } from './allowed-address.ts';

/** A connection to a private address was refused. */
export class BlockedAddressError extends Error {
  override readonly name = 'BlockedAddressError';

  constructor(address: string) {
    super(`${address} is not a public address`);
  }
}

/**
 * Connects to allowed addresses only, whatever names lead to them: each connection, such as that of a redirect, goes to
 * an address that was checked. Requests fail with BlockedAddressError.
 */
export function guardedAgent(
  allowedNetworks: readonly string[],
  options: Agent.Options & { readonly connect: buildConnector.BuildOptions },
): Agent {
  const refusalOf = (addresses: readonly string[]): BlockedAddressError | null => {
    const blocked = addresses.find((address) => !isAllowedAddress(address, allowedNetworks));
    return blocked === undefined ? null : new BlockedAddressError(blocked);
  };
  const lookup: LookupFunction = (hostname, lookupOptions, callback) => {
    resolve(hostname, lookupOptions, (error, found, family) => {
      const addresses = Array.isArray(found) ? found.map(({ address }) => address) : [found];
      callback(error ?? refusalOf(addresses), found, family);
    });
  };
  const connect = buildConnector({ ...options.connect, lookup });
  return new Agent({
    ...options,
    connect: (target, callback) => {
      // Node looks up names only.
      const host = target.hostname.replace(/^\[|\]$/g, '');
      const refusal = isIP(host) === 0 ? null : refusalOf([host]);
      if (refusal === null) connect(target, callback);
      else callback(refusal, null);
    },
  });
}
