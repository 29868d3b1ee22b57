import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EnvHttpProxyAgent, fetch, type Response } from 'undici';
import { type CatalogueModel, modelFileName } from './catalogue.ts';
import { ModelError } from './model-files.ts';

export interface PullOptions {
  readonly directory: string;
  readonly baseUrl: string;
  /** Told for every chunk; the total is null when the server doesn't say. */
  readonly onProgress: (bytes: number, totalBytes: number | null) => void;
}

const HEADERS_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 60_000;

/**
 * Downloads a model into the folder and checks it before it gets its name, so that no worker ever sees half
 * of one. What an interrupted pull left is continued, if the server can.
 * @returns The path of the model.
 * @throws ModelError naming the remedy; or the signal's reason.
 */
export async function pullModel(
  model: CatalogueModel,
  options: PullOptions,
  signal: AbortSignal,
): Promise<string> {
  const path = join(options.directory, modelFileName(model.name));
  const part = `${path}.part`;
  await mkdir(options.directory, { recursive: true });
  const url = `${options.baseUrl.replace(/\/$/, '')}/${modelFileName(model.name)}`;
  const dispatcher = new EnvHttpProxyAgent({
    headersTimeout: HEADERS_TIMEOUT_MS,
    bodyTimeout: IDLE_TIMEOUT_MS,
  });
  try {
    await download(url, part, { ...options, dispatcher }, signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof ModelError) throw error;
    throw interrupted(url, error);
  } finally {
    await dispatcher.destroy();
  }
  const sha256 = await verify(part, model, signal);
  await writeFile(`${path}.sha256`, `${sha256}  ${basename(path)}\n`);
  await rename(part, path);
  return path;
}

async function download(
  url: string,
  part: string,
  options: PullOptions & { readonly dispatcher: EnvHttpProxyAgent },
  signal: AbortSignal,
): Promise<void> {
  const have = await sizeOf(part);
  const headers: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {};
  const response = await fetch(url, { headers, signal, dispatcher: options.dispatcher });
  if (response.status === 416) {
    await response.body?.cancel();
    if (totalOf(response, 0) === have) return;
    await rm(part, { force: true });
    return download(url, part, options, signal);
  }
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new ModelError(
      `${url} answered ${response.status}. ` +
        'Set MODELS_BASE_URL to a place that has it, or put the file into the models folder yourself.',
    );
  }
  const continues = response.status === 206;
  const start = continues ? have : 0;
  const total = totalOf(response, start);
  await requireSpace(options.directory, total === null ? 0 : total - start);
  let bytes = start;
  const file = await open(part, continues ? 'a' : 'w');
  try {
    for await (const chunk of response.body) {
      await file.writeFile(chunk);
      bytes += chunk.length;
      options.onProgress(bytes, total);
    }
  } finally {
    await file.close();
  }
  if (total !== null && bytes !== total) throw new Error(`it ended after ${bytes} of ${total} bytes`);
}

/** Source: RFC 9110 §14.4. */
function totalOf(response: Response, start: number): number | null {
  const range = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  if (range !== undefined) return Number(range);
  const length = response.headers.get('content-length');
  const encoded = response.headers.get('content-encoding') !== null;
  return length === null || encoded ? null : start + Number(length);
}

/** One read for both sums. A wrong file is deleted, or every next pull would continue it. */
async function verify(part: string, model: CatalogueModel, signal: AbortSignal): Promise<string> {
  const [wanted, sha256] = [createHash(model.checksum.algorithm), createHash('sha256')];
  const both = new Writable({
    write(chunk: Buffer, _encoding, done) {
      wanted.update(chunk);
      sha256.update(chunk);
      done();
    },
  });
  await pipeline(createReadStream(part, { highWaterMark: 1024 ** 2 }), both, { signal });
  const actual = wanted.digest('hex');
  if (actual !== model.checksum.value) {
    await rm(part, { force: true });
    throw new ModelError(
      `What arrived for ${model.name} is not the model: its ${model.checksum.algorithm} is ${actual}, ` +
        `not ${model.checksum.value}. It was deleted; run the command again or check MODELS_BASE_URL.`,
    );
  }
  return sha256.digest('hex');
}

function interrupted(url: string, error: unknown): ModelError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ModelError(
    `The download from ${new URL(url).host} failed: ${why}. Run the command again: it continues where it stopped.`,
    { cause: error },
  );
}

async function requireSpace(directory: string, bytes: number): Promise<void> {
  const disk = await statfs(directory);
  const free = disk.bavail * disk.bsize;
  if (free < bytes) {
    throw new ModelError(`The disk of ${directory} has ${free} bytes free; the model needs ${bytes}.`);
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    () => 0,
  );
}
