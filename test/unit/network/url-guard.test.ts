import { describe, expect, it } from 'vitest';
import { urlProblem } from '../../../src/network/url-guard.ts';

const problemOf = (url: string, ...allowed: string[]) => urlProblem(new URL(url), allowed);

describe('urlProblem', () => {
  it.each([
    ['loopback', 'http://127.0.0.1/a.wav'],
    ['private', 'http://10.1.2.3/a.wav'],
    ['link-local', 'http://169.254.169.254/latest/meta-data'],
    ['carrier-grade NAT', 'http://100.64.0.1/'],
    ['unspecified', 'http://0.0.0.0/'],
    ['decimal', 'http://2130706433/'],
    ['octal', 'http://0177.0.0.1/'],
    ['hexadecimal', 'http://0x7f000001/'],
    ['short', 'http://127.1/'],
    ['mixed', 'http://0x7f.0.1/'],
    ['full-width digits', 'http://１２７.０.０.１/'],
    ['with a dot at the end', 'http://127.0.0.1./'],
    ['IPv6 loopback', 'http://[::1]/'],
    ['unique local', 'http://[fd00::1]/'],
    ['IPv6 link-local', 'http://[fe80::1]/'],
    ['IPv4-mapped', 'http://[::ffff:127.0.0.1]/'],
    ['IPv4-mapped in hexadecimal', 'http://[::ffff:7f00:1]/'],
    ['IPv4-compatible', 'http://[::127.0.0.1]/'],
    ['IPv4-compatible of a public address', 'http://[::8.8.8.8]/'],
    ['IPv4-translated', 'http://[::ffff:0:127.0.0.1]/'],
    ['6to4', 'http://[2002:7f00:1::]/'],
    ['NAT64', 'http://[64:ff9b::127.0.0.1]/'],
    ['local NAT64', 'http://[64:ff9b:1::127.0.0.1]/'],
    ['Teredo', 'http://[2001::1]/'],
    ['not given out', 'http://[4000::1]/'],
    ['a name for loopback', 'http://localhost/a.wav'],
    ['a name for loopback with dots at the end', 'http://LOCALHOST../a.wav'],
    ['a name below it', 'http://files.localhost:8080/a.wav'],
  ])('refuses an address that is not public: %s, %s', (_, url) => {
    expect(problemOf(url)).toMatch(/is not a public address/);
  });

  it.each([
    'https://example.org/a.wav',
    'https://example.org./a.wav',
    'http://8.8.8.8/',
    'http://0x08080808/',
    'http://[2606:4700:4700::1111]/',
    'http://[::ffff:8.8.8.8]/',
    'https://10.0.0.1.example.org/',
    'https://notlocalhost/',
  ])('accepts names and public addresses: %s', (url) => {
    expect(problemOf(url)).toBeNull();
  });

  it.each([
    ['http://10.1.2.3/', '10.0.0.0/8'],
    ['http://167772161/', '10.0.0.0/8'],
    ['http://[::ffff:10.1.2.3]/', '10.0.0.0/8'],
    ['http://[fd00::1]/', 'fd00::/8'],
    ['http://[64:ff9b::8.8.8.8]/', '64:ff9b::/96'],
    ['http://localhost/', '127.0.0.0/8'],
  ])('accepts %s where the operator allows %s', (url, network) => {
    expect(problemOf(url)).not.toBeNull();
    expect(problemOf(url, '192.168.0.0/16', network)).toBeNull();
  });

  it('applies a network to its own family only', () => {
    expect(problemOf('http://[::1]/', '0.0.0.0/0')).not.toBeNull();
    expect(problemOf('http://[::127.0.0.1]/', '127.0.0.0/8')).not.toBeNull();
    expect(problemOf('http://127.0.0.1/', '::/0')).not.toBeNull();
  });

  it.each(['https://me@example.org/a.wav', 'https://:secret@example.org/a.wav'])(
    'refuses a login in the URL: %s',
    (url) => {
      expect(problemOf(url)).toMatch(/user name or password/);
    },
  );
});
