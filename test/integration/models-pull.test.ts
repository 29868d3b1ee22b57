import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chooseDefaultModel, listModels } from '../../worker/models/model-files.ts';
import { pullModel } from '../../worker/models/pull-model.ts';

const BYTES = Buffer.concat([Buffer.from('lmgg'), Buffer.alloc(300_000, 'weights')]);
const SHA1 = createHash('sha1').update(BYTES).digest('hex');
const MODEL = { name: 'test.en', size: '300 KiB', checksum: { algorithm: 'sha1', value: SHA1 } } as const;
const FILE = 'ggml-test.en.bin';
const never = new AbortController().signal;

let directory: string;
let server: Server | null = null;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'models-'));
});

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
  server = null;
  await rm(directory, { recursive: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

/** A server that knows ranges, as Hugging Face does, and stops within its first answer when told. */
function rangeServer(ranges: string[], stopAfter: number | null = null): RequestListener {
  return (request, response) => {
    const range = request.headers.range;
    ranges.push(range ?? 'whole');
    const start = range === undefined ? 0 : Number(/bytes=(\d+)-/.exec(range)?.[1]);
    if (start >= BYTES.length) {
      response.writeHead(416, { 'content-range': `bytes */${BYTES.length}` }).end();
      return;
    }
    const rest = BYTES.subarray(start);
    const contentRange = `bytes ${start}-${BYTES.length - 1}/${BYTES.length}`;
    response.writeHead(range === undefined ? 200 : 206, {
      'content-length': rest.length,
      ...(range === undefined ? {} : { 'content-range': contentRange }),
    });
    if (stopAfter !== null && ranges.length === 1) response.write(rest.subarray(0, stopAfter));
    else response.end(rest);
  };
}

function pull(baseUrl: string, onProgress: (bytes: number, total: number | null) => void = () => {}) {
  return pullModel(MODEL, { directory, baseUrl, onProgress }, never);
}

describe('pulling a model', () => {
  test('brings it whole, checked, with a side-car for later checks', async () => {
    const seen: [number, number | null][] = [];
    const path = await pull(await serve(rangeServer([])), (bytes, total) => seen.push([bytes, total]));

    expect(await readFile(path)).toEqual(BYTES);
    expect(seen.at(-1)).toEqual([BYTES.length, BYTES.length]);
    expect((await readdir(directory)).toSorted()).toEqual([FILE, `${FILE}.sha256`]);
    const sha256 = createHash('sha256').update(BYTES).digest('hex');
    expect(await readFile(`${path}.sha256`, 'utf8')).toBe(`${sha256}  ${FILE}\n`);
    expect((await chooseDefaultModel(directory, undefined)).name).toBe('test.en');
  });

  test('continues a download that was cut', async () => {
    const ranges: string[] = [];
    const url = await serve(rangeServer(ranges, 100_000));

    const cut = () => server?.closeAllConnections();
    await expect(pull(url, cut)).rejects.toThrow(/Run the command again/);
    expect((await listModels(directory)).map(({ name }) => name)).not.toContain('test.en');
    const kept = (await readFile(join(directory, `${FILE}.part`))).length;
    const path = await pull(url);

    expect(kept).toBeGreaterThan(0);
    expect(ranges).toEqual(['whole', `bytes=${kept}-`]);
    expect(await readFile(path)).toEqual(BYTES);
  });

  test('finishes a download of which only the check was missing', async () => {
    await writeFile(join(directory, `${FILE}.part`), BYTES);
    expect(await readFile(await pull(await serve(rangeServer([]))))).toEqual(BYTES);
  });

  test('starts over with a server that knows no ranges', async () => {
    await writeFile(join(directory, `${FILE}.part`), BYTES.subarray(0, 50_000));
    const url = await serve((_request, response) => response.end(BYTES));
    expect(await readFile(await pull(url))).toEqual(BYTES);
  });

  test('deletes what has the wrong checksum', async () => {
    const url = await serve((_request, response) => response.end(Buffer.alloc(1000)));
    await expect(pull(url)).rejects.toThrow(/is not the model.*deleted/);
    expect(await readdir(directory)).toEqual([]);
  });

  test('says where to get it when the server has none', async () => {
    const url = await serve((_request, response) => response.writeHead(404).end());
    await expect(pull(url)).rejects.toThrow(/answered 404.*MODELS_BASE_URL/);
    server?.close();
    server?.closeAllConnections();
    await expect(pull(url)).rejects.toThrow(/ECONNREFUSED.*Run the command again/);
  });
});

describe('the models command', () => {
  const models = (args: string[], env: NodeJS.ProcessEnv) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', 'worker/models/models-command.ts', ...args], {
      cwd: join(import.meta.dirname, '../..'),
      env: { ...process.env, MODELS_DIR: directory, ...env },
    });

  test('lists, finds, and fails with a sentence', async () => {
    await writeFile(join(directory, FILE), BYTES);
    const url = await serve((_request, response) => response.end(BYTES));

    expect((await models(['list'], {})).stdout).toMatch(/test\.en +installed, default/);
    expect((await models(['path'], {})).stdout).toBe(`${join(directory, FILE)}\n`);
    await expect(models(['pull', 'nope'], {})).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/There is no model nope to pull/),
    });
    await expect(models(['pull', 'tiny.en'], { MODELS_BASE_URL: url })).rejects.toMatchObject({
      stdout: expect.stringMatching(/^tiny\.en: 100 %$/m),
      stderr: expect.stringMatching(/is not the model/),
    });
  });
});
