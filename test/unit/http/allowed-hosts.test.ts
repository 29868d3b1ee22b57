import { describe, expect, it } from 'vitest';
import { createHostCheck } from '../../../src/http/allowed-hosts.ts';

const CONFIG = {
  HOST: '0.0.0.0',
  PUBLIC_URL: 'https://speech.example/api',
  WORKER_URL: 'http://server:4000',
  CORS_ORIGINS: ['https://app.example'],
  ALLOWED_HOSTS: ['intern.example', 'other.example:8080'],
};

describe('the host check', () => {
  it.each([
    undefined,
    'localhost:4000',
    'LOCALHOST',
    'speech.localhost:4000',
    '127.0.0.1:4000',
    '192.168.1.20:4000',
    '[::1]:4000',
    'speech.example',
    'speech.example.:443',
    'server:4000',
    'app.example',
    'intern.example:4000',
    'other.example',
  ])('knows %s as a name of the service', (host) => {
    expect(createHostCheck(CONFIG)(host)).toBe(true);
  });

  it.each([
    'evil.example',
    'evil.example:4000',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '',
    'a b',
  ])('refuses %j, which anyone may have resolve to this machine', (host) => {
    expect(createHostCheck(CONFIG)(host)).toBe(false);
  });

  it('takes any name where the operator says so', () => {
    expect(createHostCheck({ ...CONFIG, ALLOWED_HOSTS: ['*'] })('evil.example')).toBe(true);
    expect(createHostCheck({ ...CONFIG, CORS_ORIGINS: ['*'] })('evil.example')).toBe(true);
  });
});
