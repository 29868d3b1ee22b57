import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchAudio } from '../../worker/audio/fetch-audio.ts';
import { EngineError } from '../../worker/engines/engine.ts';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];
const SOUND = Buffer.alloc(100_000, 7);

let directory: string;
const servers: Server[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fetch-'));
});

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(directory, { recursive: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const task = (url: string, more: { kind?: 'url' | 'upload'; sha256?: string } = {}) => ({
  kind: more.kind ?? 'url',
  url,
  filename: null,
  contentType: null,
  sizeBytes: null,
  sha256: more.sha256 ?? null,
  durationMs: null,
});

function fetchFrom(url: string, more: { allowed?: string[]; maxBytes?: number; signal?: AbortSignal } = {}) {
  const options = { directory, maxBytes: more.maxBytes ?? 1e6, allowedNetworks: more.allowed ?? LOOPBACK };
  return fetchAudio(task(url), options, more.signal ?? new AbortController().signal);
}

async function failureOf(promise: Promise<unknown>) {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof EngineError)) throw new Error(`Expected an EngineError, got ${String(error)}`);
  return error.failure;
}

describe('fetchAudio', () => {
  test('downloads the recording, and reports its size, hash and progress', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'audio/wav', 'content-length': SOUND.length }).end(SOUND);
    });
    const seen: [number, number | null][] = [];
    const options = {
      directory,
      maxBytes: 1e6,
      allowedNetworks: LOOPBACK,
      onProgress: (bytes: number, total: number | null) => seen.push([bytes, total]),
    };
    const fetched = await fetchAudio(task(url), options, new AbortController().signal);
    const sha256 = createHash('sha256').update(SOUND).digest('hex');
    expect(fetched).toMatchObject({ sizeBytes: SOUND.length, sha256, contentType: 'audio/wav' });
    expect(await readFile(fetched.path)).toEqual(SOUND);
    expect(seen.at(-1)).toEqual([SOUND.length, SOUND.length]);
  });

  test.each([
    'http://127.0.0.1:1/',
    'http://[::1]:1/',
    'http://localhost:1/',
    'http://10.1.2.3/',
    'http://192.168.0.1/',
    'http://100.64.0.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::127.0.0.1]/',
    'http://[2002:7f00:1::]/',
    'http://[fd00::1]/',
    'http://127.0.0.1./',
    'http://0.0.0.0/',
    'http://2130706433/',
    'http://0x7f.1/',
  ])('refuses %s as a private address', async (url) => {
    const failure = await failureOf(fetchFrom(url, { allowed: [] }));
    expect(failure).toMatchObject({ kind: 'FETCH', code: 'FETCH_BLOCKED_ADDRESS', retryable: false });
  });

  test('refuses a redirect from an allowed host to a private address', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
    });
    expect(await failureOf(fetchFrom(url))).toMatchObject({ code: 'FETCH_BLOCKED_ADDRESS' });
  });

  test('applies an allowed network to its own address family only', async () => {
    expect(await failureOf(fetchFrom('http://[::1]:1/', { allowed: ['127.0.0.0/8'] }))).toMatchObject({
      code: 'FETCH_BLOCKED_ADDRESS',
    });
  });

  test('reads an upload of the service itself at a private address', async () => {
    const url = await serve((_request, response) => response.end(SOUND));
    const options = { directory, maxBytes: 1e6, allowedNetworks: [] };
    const fetched = await fetchAudio(task(url, { kind: 'upload' }), options, new AbortController().signal);
    expect(fetched.sizeBytes).toBe(SOUND.length);
  });

  test('follows a redirect and stops at a loop', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/real') response.end(SOUND);
      else response.writeHead(302, { location: request.url === '/once' ? '/real' : '/again' }).end();
    });
    expect((await fetchFrom(`${url}/once`)).sizeBytes).toBe(SOUND.length);
    expect(await failureOf(fetchFrom(`${url}/again`))).toMatchObject({ code: 'FETCH_TOO_MANY_REDIRECTS' });
  });

  test.each([
    [404, 'FETCH_NOT_FOUND', false],
    [410, 'FETCH_NOT_FOUND', false],
    [401, 'FETCH_FORBIDDEN', false],
    [403, 'FETCH_FORBIDDEN', false],
    [418, 'FETCH_REFUSED', false],
    [408, 'FETCH_TIMEOUT', true],
    [425, 'FETCH_RATE_LIMITED', true],
    [503, 'FETCH_SERVER_ERROR', true],
  ])('maps status %i to %s', async (status, code, retryable) => {
    const url = await serve((_request, response) => response.writeHead(status).end());
    expect(await failureOf(fetchFrom(url))).toMatchObject({ kind: 'FETCH', code, retryable });
  });

  test('reports how long a rate limit lasts', async () => {
    const url = await serve((_request, response) => response.writeHead(429, { 'retry-after': '7' }).end());
    expect(await failureOf(fetchFrom(url))).toMatchObject({
      code: 'FETCH_RATE_LIMITED',
      retryable: true,
      retryAfterMs: 7000,
    });
  });

  test('refuses a recording that is too large, with a Content-Length and without', async () => {
    const announced = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': SOUND.length }).end(SOUND);
    });
    const silent = await serve((_request, response) => {
      response.write(SOUND);
      response.end();
    });
    for (const url of [announced, silent]) {
      const failure = await failureOf(fetchFrom(url, { maxBytes: 50_000 }));
      expect(failure).toMatchObject({ code: 'FETCH_TOO_LARGE', retryable: false });
    }
  });

  test('detects a truncated body', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': SOUND.length });
      response.write(SOUND.subarray(0, 1000), () => response.destroy());
    });
    expect(await failureOf(fetchFrom(url))).toMatchObject({ code: 'FETCH_TRUNCATED', retryable: true });
  });

  test.each([
    ['text/html; charset=utf-8', '<html><body>Log in</body></html>'],
    ['audio/mpeg', '\n<!DOCTYPE html><html></html>'],
  ])('recognises a web page sent as %s', async (type, body) => {
    const url = await serve((_request, response) =>
      response.writeHead(200, { 'content-type': type }).end(body),
    );
    expect(await failureOf(fetchFrom(url))).toMatchObject({
      kind: 'AUDIO',
      code: 'AUDIO_IS_HTML',
      retryable: false,
    });
  });

  test('distinguishes unreachable hosts and unsupported URLs', async () => {
    expect(await failureOf(fetchFrom('http://127.0.0.1:1/'))).toMatchObject({
      code: 'FETCH_CONNECTION',
      retryable: true,
    });
    expect(await failureOf(fetchFrom('ftp://example.org/a.mp3'))).toMatchObject({ code: 'FETCH_REFUSED' });
  });

  test('refuses a recording with another hash than requested', async () => {
    const url = await serve((_request, response) => response.end(SOUND));
    const options = { directory, maxBytes: 1e6, allowedNetworks: LOOPBACK };
    const wrong = task(url, { sha256: 'ab'.repeat(32) });
    const failure = await failureOf(fetchAudio(wrong, options, new AbortController().signal));
    expect(failure).toMatchObject({ code: 'FETCH_CHECKSUM', retryable: true });
  });

  test('ends with the reason of the signal, and closes the connection', async () => {
    const cancel = new AbortController();
    const reason = new Error('canceled');
    const closed = new Promise<void>((resolve) => {
      void serve((_request, response) => {
        response.once('close', () => resolve());
        response.write(SOUND);
      }).then((url) => {
        const options = {
          directory,
          maxBytes: 1e6,
          allowedNetworks: LOOPBACK,
          onProgress: () => cancel.abort(reason),
        };
        outcome = fetchAudio(task(url), options, cancel.signal).catch((error: unknown) => error);
      });
    });
    let outcome: Promise<unknown> = Promise.resolve(null);
    await closed;
    expect(await outcome).toBe(reason);
  });
});
