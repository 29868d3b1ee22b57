import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FileHost, hostFiles } from '../support/file-host.ts';
import { type Service, startService } from '../support/service.ts';

let service: Service;
let host: FileHost;
const asked: string[] = [];

beforeAll(async () => {
  host = await hostFiles({ 'secret.wav': { body: 'secret' } }, (name) => asked.push(name));
  // The server allows loopback addresses; the worker, which fetches, does not.
  service = await startService({ workers: 0, env: { AUDIO_ALLOWED_NETWORKS: '127.0.0.0/8' } });
  await service.addWorker({ AUDIO_ALLOWED_NETWORKS: '' });
});
afterAll(async () => {
  await service?.stop();
  await host?.close();
});

describe('a recording on a private address', () => {
  it.each([
    'http://10.0.0.1/secret.wav',
    'http://167772161/secret.wav',
    'http://192.168.1.1/secret.wav',
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]/secret.wav',
    'http://[fd00::1]/secret.wav',
    'http://[::ffff:10.0.0.1]/secret.wav',
    'http://[::10.0.0.1]/secret.wav',
    'http://[64:ff9b::10.0.0.1]/secret.wav',
    'http://10.0.0.1./secret.wav',
    'http://0x0a.1/secret.wav',
  ])('is refused at once when the URL says so: %s', async (url) => {
    const outcome = await service.jobs.submit({ audio: { url } });

    expect(outcome).toMatchObject({
      __typename: 'AudioSourceError',
      code: 'URL_BLOCKED',
      path: ['input', 'audio', 'url'],
    });
  });

  it('is not requested when a public name resolves to it', async () => {
    const url = host.urlOf('secret.wav').replace('127.0.0.1', 'localhost');
    const job = await service.jobs.finished(await service.jobs.accepted({ audio: { url } }));

    expect(job).toMatchObject({
      status: 'FAILED',
      failure: { kind: 'FETCH', code: 'FETCH_BLOCKED_ADDRESS' },
      attempts: [{ number: 1, outcome: 'FAILED' }],
    });
    expect(asked).toEqual([]);
  });
});
