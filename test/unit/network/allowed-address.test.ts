import { describe, expect, it } from 'vitest';
import { isAllowedAddress } from '../../../src/network/allowed-address.ts';

// As a resolver writes them, which for IPv6 differs from the form in a URL.
describe('isAllowedAddress', () => {
  it.each([
    '::127.0.0.1',
    '::8.8.8.8',
    '::ffff:10.0.0.1',
    '64:ff9b::10.0.0.1',
    'fe80::1%eth0',
    '::',
    '10.0.0.1',
  ])('refuses %s', (address) => {
    expect(isAllowedAddress(address, [])).toBe(false);
  });

  it.each(['93.184.216.34', '::ffff:93.184.216.34', '2606:4700:4700::1111', '2000::'])(
    'allows %s',
    (address) => {
      expect(isAllowedAddress(address, [])).toBe(true);
    },
  );

  it('allows what is in a network given, down to its last bit', () => {
    expect(isAllowedAddress('192.168.7.1', ['192.168.7.0/31'])).toBe(true);
    expect(isAllowedAddress('192.168.7.2', ['192.168.7.0/31'])).toBe(false);
    expect(isAllowedAddress('fe80::1%eth0', ['fe80::/10'])).toBe(true);
  });
});
