/**
 * How much memory the server takes for a large upload: `npx tsx bench/upload-memory.ts [megabytes]`.
 *
 * Runs the HTTP server in a process of its own, sends it a file of zeros with PUT, and prints how far its
 * resident memory rose above what it had before. Exit code 1 when that is 64 MB or more.
 */
import { fork } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '../src/local/postgres.ts';
import { createLogger } from '../src/observability/logger.ts';
import { openDatabase } from '../src/storage/database.ts';
import { migrate } from '../src/storage/migrate.ts';

const MEGABYTE = 1024 * 1024;
const MAX_GROWTH_MEGABYTES = 64;
const SAMPLE_MS = 50;

async function residentMegabytes(pid: number): Promise<number> {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

function zeros(megabytes: number): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(MEGABYTE);
  let left = megabytes;
  return new ReadableStream({
    pull(controller) {
      if (left === 0) return controller.close();
      left -= 1;
      controller.enqueue(chunk);
    },
  });
}

async function serve(): Promise<void> {
  const { startUploadEdge } = await import('../test/support/edge.ts');
  const log = createLogger('bench', 'warn');
  const dataDirectory = await mkdtemp(join(tmpdir(), 'upload-memory-'));
  const postgres = await startPostgres({ dataDirectory, durable: false, log });
  await migrate(postgres.url, log);
  const database = await openDatabase({ url: postgres.url, poolSize: 4, log });
  const edge = await startUploadEdge({ database }, { maxBytes: 10 * 1024 ** 3 });
  process.send?.(edge.graphqlUrl);
  process.once('disconnect', async () => {
    await edge.close();
    await database.destroy();
    await postgres.stop();
    await rm(dataDirectory, { recursive: true });
    process.exit(0);
  });
}

async function createUpload(graphqlUrl: string, sizeBytes: number): Promise<string> {
  const query = `mutation { createUpload(input: { filename: "zeros.wav", contentType: "audio/wav",
    sizeBytes: ${sizeBytes} }) { ... on CreateUploadPayload { upload { url } } } }`;
  const response = await fetch(graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  const { data } = (await response.json()) as { data: { createUpload: { upload: { url: string } } } };
  return data.createUpload.upload.url;
}

async function send(graphqlUrl: string, megabytes: number): Promise<number> {
  const url = await createUpload(graphqlUrl, megabytes * MEGABYTE);
  const response = await fetch(url, { method: 'PUT', body: zeros(megabytes), duplex: 'half' } as RequestInit);
  return response.status;
}

async function measure(megabytes: number): Promise<void> {
  const server = fork(fileURLToPath(import.meta.url), ['--serve'], { execArgv: process.execArgv });
  const graphqlUrl = await new Promise<string>((resolve) =>
    server.once('message', (url) => resolve(String(url))),
  );
  const pid = server.pid as number;
  // What the first request of a kind loads is not the upload's.
  await send(graphqlUrl, 1);
  const before = await residentMegabytes(pid);
  let peak = before;
  const stop = new AbortController();
  const watching = (async () => {
    while (!stop.signal.aborted) {
      peak = Math.max(peak, await residentMegabytes(pid));
      await delay(SAMPLE_MS);
    }
  })();
  const startedAt = performance.now();
  const status = await send(graphqlUrl, megabytes);
  const seconds = (performance.now() - startedAt) / 1000;
  stop.abort();
  await watching;
  server.disconnect();
  const growth = peak - before;
  console.log(`${megabytes} MB sent with status ${status} in ${seconds.toFixed(1)} s`);
  console.log(
    `server memory: ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most: +${growth.toFixed(0)} MB`,
  );
  process.exitCode = status === 201 && growth < MAX_GROWTH_MEGABYTES ? 0 : 1;
}

if (process.argv[2] === '--serve') await serve();
else await measure(Number(process.argv[2] ?? 500));
