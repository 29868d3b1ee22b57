import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UnavailableError } from '../../src/domain/errors.ts';
import { sweepExpiredUploads } from '../../src/uploads/stored-upload.ts';
import { eventually, MAX_UPLOAD_BYTES, post, startUploadEdge, type UploadEdge } from '../support/edge.ts';
import { openTestStorage, TENANT, type TestStorage } from '../support/storage.ts';

const FILE = Buffer.from('not really a recording'.repeat(1000));
const SHA256 = createHash('sha256').update(FILE).digest('hex');

const CREATE = `mutation Create($input: CreateUploadInput!) {
  createUpload(input: $input) {
    __typename
    ... on CreateUploadPayload { upload { id method url headers { name value } maxBytes expiresAt } }
    ... on UserError { code message path }
    ... on ValidationError { issues { path } }
    ... on AudioSourceError { maxBytes }
  }
}`;

interface Upload {
  readonly id: string;
  readonly url: string;
}

let storage: TestStorage;
let edge: UploadEdge;
let clockMs: number;
beforeAll(async () => {
  storage = await openTestStorage();
});
beforeEach(async () => {
  clockMs = Date.now();
  await storage.database.query('TRUNCATE uploads CASCADE');
  edge = await startUploadEdge(storage, { now: () => new Date(clockMs) });
});
afterEach(() => edge.close());
afterAll(() => storage.close());

const INPUT = { filename: 'talk.mp3', contentType: 'audio/mpeg', sizeBytes: FILE.length };

async function create(change: Record<string, unknown> = {}): Promise<Upload> {
  const { data } = await post(edge, CREATE, { input: { ...INPUT, ...change } });
  return (data.createUpload as unknown as { upload: Upload }).upload;
}

async function refusal(change: Record<string, unknown>): Promise<Record<string, unknown>> {
  return (await post(edge, CREATE, { input: { ...INPUT, ...change } })).data.createUpload as never;
}

async function put(url: string, body: BodyInit): Promise<{ status: number; code: unknown; body: unknown }> {
  const response = await fetch(url, { method: 'PUT', body, duplex: 'half' } as RequestInit);
  const answer = (await response.json()) as { errors?: { extensions: { code: string } }[] };
  return { status: response.status, code: answer.errors?.[0]?.extensions.code ?? null, body: answer };
}

function contentUrl(id: string): string {
  return edge.links.contentUrl(TENANT, id);
}

describe('createUpload', () => {
  it('returns a signed URL', async () => {
    const { data } = await post(edge, CREATE, { input: INPUT });

    expect(data.createUpload).toMatchObject({
      __typename: 'CreateUploadPayload',
      upload: {
        id: expect.stringMatching(/^upl_[0-9a-f]{32}$/),
        method: 'PUT',
        url: expect.stringMatching(/\/uploads\/upl_[0-9a-f]{32}\?tenant=\w+&expires=\d+&signature=[\w-]+$/),
        headers: [{ name: 'Content-Type', value: 'audio/mpeg' }],
        maxBytes: MAX_UPLOAD_BYTES,
      },
    });
  });

  it.each([
    ['filename', { filename: '../..' }],
    ['filename', { filename: 'x'.repeat(256) }],
    ['contentType', { contentType: 'text/html' }],
    ['sizeBytes', { sizeBytes: 0 }],
    ['sha256', { sha256: 'abc' }],
    ['idempotencyKey', { idempotencyKey: 'short' }],
  ])('refuses a bad %s by name', async (field, change) => {
    expect(await refusal(change)).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['input', field] }],
    });
  });

  it('refuses a file that is too large, and names the limit', async () => {
    expect(await refusal({ sizeBytes: MAX_UPLOAD_BYTES + 1 })).toMatchObject({
      __typename: 'AudioSourceError',
      code: 'AUDIO_TOO_LARGE',
      maxBytes: MAX_UPLOAD_BYTES,
    });
  });

  it('returns the same upload for the same key and input, and refuses another input', async () => {
    const first = await create({ idempotencyKey: 'upload-key-1' });
    const again = await create({ idempotencyKey: 'upload-key-1' });

    expect(again.id).toBe(first.id);
    expect(await refusal({ idempotencyKey: 'upload-key-1', sizeBytes: 7 })).toMatchObject({
      __typename: 'ValidationError',
      issues: [{ path: ['input', 'idempotencyKey'] }],
    });
    clockMs += 61_000;
    expect(await refusal({ idempotencyKey: 'upload-key-1' })).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('stores the file name without folders', async () => {
    const { id } = await create({ filename: 'C:\\private\\te\u0000lk.mp3' });

    expect((await edge.uploads.repository.find(TENANT, id))?.filename).toBe('telk.mp3');
  });
});

describe('sending a file', () => {
  it('accepts curl -T, and serves the file whole and in ranges', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'curl-'));
    await writeFile(path.join(folder, 'talk.mp3'), FILE);
    const { id, url } = await create({ sha256: SHA256 });
    const { stdout } = await execa('curl', ['-sS', '-T', path.join(folder, 'talk.mp3'), url]);
    await rm(folder, { recursive: true });

    const whole = await fetch(contentUrl(id));
    const range = await fetch(contentUrl(id), { headers: { range: 'bytes=10-19' } });
    const tail = await fetch(contentUrl(id), { headers: { range: 'bytes=-5' } });
    const outside = await fetch(contentUrl(id), { headers: { range: `bytes=${FILE.length}-` } });
    const head = await fetch(contentUrl(id), { method: 'HEAD' });

    expect(JSON.parse(stdout)).toEqual({ id, sizeBytes: FILE.length, sha256: SHA256 });
    expect(Buffer.from(await whole.arrayBuffer()).equals(FILE)).toBe(true);
    expect(whole.headers.get('content-disposition')).toContain('talk.mp3');
    expect([range.status, range.headers.get('content-range')]).toEqual([206, `bytes 10-19/${FILE.length}`]);
    expect(await range.text()).toBe(FILE.subarray(10, 20).toString());
    expect(await tail.text()).toBe(FILE.subarray(-5).toString());
    expect([outside.status, outside.headers.get('content-range')]).toEqual([416, `bytes */${FILE.length}`]);
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(FILE.length)]);
    expect(await edge.uploadedFiles()).toEqual([SHA256]);
  });

  it('accepts a body without a length, and one with Expect: 100-continue', async () => {
    const chunked = await create();
    const waiting = await create();
    const stream = new Blob([FILE]).stream();
    const { stdout } = await execa('curl', ['-sS', '-H', 'Expect: 100-continue', '-T', '-', waiting.url], {
      input: FILE,
    });

    expect((await put(chunked.url, stream)).status).toBe(201);
    expect(JSON.parse(stdout)).toMatchObject({ id: waiting.id });
  });

  it.each([
    ['fewer bytes than promised', 422, 'UPLOAD_SIZE_MISMATCH', FILE.subarray(1), {}],
    ['more bytes than promised', 422, 'UPLOAD_SIZE_MISMATCH', Buffer.concat([FILE, FILE]), {}],
    ['another hash than promised', 422, 'UPLOAD_HASH_MISMATCH', FILE, { sha256: 'ab'.repeat(32) }],
    ['more than is taken at all', 413, 'UPLOAD_TOO_LARGE', Buffer.alloc(MAX_UPLOAD_BYTES + 1), {}],
  ])('refuses %s, announced or not, and keeps nothing', async (_case, status, code, body, change) => {
    const { url } = await create(change);

    const announced = await put(url, new Uint8Array(body));
    const unannounced = await put(url, new Blob([new Uint8Array(body)]).stream());

    expect(announced).toMatchObject({ status, code });
    // Without a length the announced size is the limit.
    expect(unannounced.status).toBe(422);
    expect(await edge.uploadedFiles()).toEqual([]);
  });

  it('can be repeated after a refusal, but not after success', async () => {
    const { url } = await create({ sha256: SHA256 });

    expect((await put(url, new Uint8Array(FILE.length))).code).toBe('UPLOAD_HASH_MISMATCH');
    expect((await put(url, new Uint8Array(FILE))).status).toBe(201);
    expect(await put(url, new Uint8Array(FILE))).toMatchObject({ status: 409, code: 'UPLOAD_ALREADY_USED' });
  });

  it('refuses an expired URL, a forged one, and one of another upload', async () => {
    const [first, second] = [await create(), await create()];
    const swapped = second.url.replace(second.id, first.id);
    const prolonged = first.url.replace(/expires=\d+/, 'expires=9999999999');

    expect(await put(swapped, 'x')).toMatchObject({ status: 403, code: 'SIGNATURE_INVALID' });
    expect(await put(prolonged, 'x')).toMatchObject({ status: 403, code: 'SIGNATURE_INVALID' });
    expect(await put(`${edge.url}/uploads/${first.id}`, 'x')).toMatchObject({ status: 403 });
    clockMs += 61_000;
    expect(await put(first.url, 'x')).toMatchObject({ status: 410, code: 'URL_EXPIRED' });
  });

  it('refuses a second sender while the first is sending, and keeps nothing when the first disconnects', async () => {
    const { url } = await create();
    const { hostname, port, pathname, search } = new URL(url);
    const first = connect(Number(port), hostname);
    first.write(
      `PUT ${pathname}${search} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${FILE.length}\r\n\r\nbegin`,
    );
    await eventually(
      () => edge.uploadedFiles(),
      (files) => files.some((name) => name.endsWith('.partial')),
    );

    const second = await put(url, new Uint8Array(FILE));
    first.destroy();
    await eventually(
      () => edge.uploadedFiles(),
      (files) => files.length === 0,
    );
    const third = await eventually(
      () => put(url, new Uint8Array(FILE)),
      ({ status }) => status !== 409,
    );

    expect(second).toMatchObject({ status: 409, code: 'UPLOAD_IN_PROGRESS' });
    expect(third.status).toBe(201);
  });

  it('answers 503 with Retry-After while the database is down', async () => {
    const { url } = await create();
    edge.uploads.repository.find = () =>
      Promise.reject(new UnavailableError('The database cannot be reached.'));

    const response = await fetch(url, { method: 'PUT', body: new Uint8Array(FILE) });

    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }],
    });
  });

  it('serves nothing before the upload is complete', async () => {
    const { id } = await create();

    expect((await fetch(contentUrl(id))).status).toBe(409);
    expect((await fetch(contentUrl('upl_none'))).status).toBe(404);
    expect((await fetch(`${edge.url}/uploads/${id}/content`)).status).toBe(403);
    expect((await fetch(contentUrl('..%2F..%2Fetc'))).status).toBe(404);
  });

  it('deletes expired uploads with their files', async () => {
    const { id, url } = await create();
    await put(url, new Uint8Array(FILE));
    const before = await sweepExpiredUploads(edge.uploads);
    clockMs += 121_000;
    const after = await sweepExpiredUploads(edge.uploads);

    expect([before, after]).toEqual([0, 1]);
    expect(await edge.uploadedFiles()).toEqual([]);
    expect(await edge.uploads.repository.find(TENANT, id)).toBeNull();
  });
});
