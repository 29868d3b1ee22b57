import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { v7 } from 'uuid';
import type { Application } from '../../src/app/application.ts';
import { authenticate } from '../../src/auth/authenticate.ts';
import { SignedLinks } from '../../src/auth/signed-links.ts';
import type { Principal } from '../../src/domain/principal.ts';
import type { Health } from '../../src/http/health.ts';
import { createHttpServer, type HttpServerDeps } from '../../src/http/http-server.ts';
import { LocalUploadStore } from '../../src/uploads/local-store.ts';
import { uploadApi } from '../../src/uploads/upload-api.ts';
import type { UploadDeps } from '../../src/uploads/upload-deps.ts';
import { UploadRepository } from '../../src/uploads/upload-repository.ts';
import { type ApiOverrides, fakeApi } from './fake-application.ts';
import type { TestStorage } from './storage.ts';

export interface EdgeOptions {
  readonly api?: ApiOverrides;
  readonly config?: Partial<HttpServerDeps['config']>;
  readonly limits?: HttpServerDeps['limits'];
  readonly health?: () => Promise<Health>;
}

export interface Edge {
  readonly url: string;
  readonly graphqlUrl: string;
  readonly webSocketUrl: string;
  readonly links: SignedLinks;
  /** What was logged, as pino writes it. */
  readonly logs: Record<string, unknown>[];
  close(graceMs?: number): Promise<void>;
}

/** The HTTP server on a free port over a fake of the service. */
export async function startEdge(options: EdgeOptions = {}): Promise<Edge> {
  const links = new SignedLinks({ secret: 'test-secret', baseUrl: 'http://127.0.0.1:1' });
  return listen({ as: () => fakeApi(options.api) }, links, options);
}

async function listen(app: Application, links: SignedLinks, options: EdgeOptions): Promise<Edge> {
  const logs: Record<string, unknown>[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void logs.push(JSON.parse(line)) });
  const server = createHttpServer({
    ...{ app, links, authenticate, log },
    health: options.health ?? (async () => ({ ready: true, checks: {} })),
    config: {
      HOST: '127.0.0.1',
      PORT: 0,
      PUBLIC_URL: undefined,
      GRAPHIQL: 'on',
      WORKER_URL: undefined,
      CORS_ORIGINS: [],
      ALLOWED_HOSTS: [],
      MAX_WEBSOCKETS: 100,
      ...options.config,
    },
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const { url } = await server.listen();
  links.baseUrl = url;
  return {
    url,
    graphqlUrl: `${url}/graphql`,
    webSocketUrl: `${url.replace('http', 'ws')}/graphql`,
    links,
    logs,
    close: (graceMs = 2000) => server.close(graceMs),
  };
}

export const MAX_UPLOAD_BYTES = 1024 * 1024;

export interface UploadEdge extends Edge {
  readonly uploads: UploadDeps;
  /** Names of the files of uploads: complete ones by their SHA-256. */
  uploadedFiles(): Promise<readonly string[]>;
}

/** The same with real uploads: their table in Postgres, their files in a folder of its own. */
export async function startUploadEdge(
  { database }: Pick<TestStorage, 'database'>,
  {
    now = () => new Date(),
    ttlSeconds = 60,
    maxBytes = MAX_UPLOAD_BYTES,
  }: { now?: () => Date; ttlSeconds?: number; maxBytes?: number },
): Promise<UploadEdge> {
  const folder = await mkdtemp(path.join(tmpdir(), 'edge-'));
  const links = new SignedLinks({ secret: 'test-secret', baseUrl: 'http://127.0.0.1:1', now });
  const uploads: UploadDeps = {
    repository: new UploadRepository(database),
    store: new LocalUploadStore(folder),
    links,
    environment: { now, uuid: v7 },
    config: { MAX_AUDIO_BYTES: maxBytes, UPLOAD_TTL_SECONDS: ttlSeconds },
  };
  const app = { as: (by: Principal) => ({ ...fakeApi(), uploads: uploadApi(uploads, by) }) };
  const edge = await listen(app, links, {});
  return {
    ...edge,
    uploads,
    uploadedFiles: async () =>
      (await readdir(folder, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map(({ name }) => name),
    close: async (graceMs) => {
      await edge.close(graceMs);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface GraphQLAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly data: Record<string, never> & Record<string, unknown>;
  readonly errors: readonly {
    readonly message: string;
    readonly path?: readonly (string | number)[];
    readonly extensions?: Record<string, unknown>;
  }[];
}

export async function post(
  edge: Edge,
  query: string,
  variables: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<GraphQLAnswer> {
  const response = await fetch(edge.graphqlUrl, {
    method: 'POST',
    headers: {
      accept: 'application/graphql-response+json',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
  });
  const body = (await response.json()) as Pick<GraphQLAnswer, 'data' | 'errors'>;
  return { status: response.status, headers: response.headers, data: body.data, errors: body.errors ?? [] };
}

/** Polls until it holds; fails with the last thing seen. */
export async function eventually<Value>(
  read: () => Promise<Value> | Value,
  holds: (value: Value) => boolean,
  deadlineMs = 10_000,
): Promise<Value> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (Date.now() > deadline) throw new Error(`It never held; last seen: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
