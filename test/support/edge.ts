import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { v7 } from 'uuid';
import type { Application } from '../../src/app/application.ts';
import { authenticate } from '../../src/auth/authenticate.ts';
import { SignedLinks } from '../../src/auth/signed-links.ts';
import { toId } from '../../src/domain/ids.ts';
import type { OpenExport } from '../../src/http/export-route.ts';
import { createHttpServer, type HttpServerDeps } from '../../src/http/http-server.ts';
import type { Health } from '../../src/http/routes.ts';
import { LocalUploadStore } from '../../src/uploads/local-store.ts';
import type { UploadDeps } from '../../src/uploads/upload-store.ts';
import { createUpload, findUploads } from '../../src/uploads/uploads.ts';
import { fakeApplication } from './fake-application.ts';
import { MemoryUploadRepository } from './memory-upload-repository.ts';

export interface EdgeOptions {
  readonly app?: Partial<Application>;
  readonly config?: Partial<HttpServerDeps['config']>;
  readonly limits?: HttpServerDeps['limits'];
  readonly openExport?: OpenExport;
  readonly health?: () => Promise<Health>;
  readonly uploads?: Partial<Pick<UploadDeps, 'repository' | 'maxBytes' | 'ttlMs' | 'now'>>;
}

export interface Edge {
  readonly url: string;
  readonly graphqlUrl: string;
  readonly webSocketUrl: string;
  readonly links: SignedLinks;
  readonly uploads: UploadDeps & { readonly store: LocalUploadStore };
  /** What was logged, as pino writes it. */
  readonly logs: Record<string, unknown>[];
  /** Names of the files of uploads: complete ones by their SHA-256. */
  uploadedFiles(): Promise<readonly string[]>;
  close(graceMs?: number): Promise<void>;
}

export const MAX_UPLOAD_BYTES = 1024 * 1024;

/** The HTTP server on a free port over a fake application, with uploads in a folder of its own. */
export async function startEdge(options: EdgeOptions = {}): Promise<Edge> {
  const folder = await mkdtemp(path.join(tmpdir(), 'edge-'));
  const logs: Record<string, unknown>[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void logs.push(JSON.parse(line)) });
  let url = 'http://127.0.0.1:1';
  const now = options.uploads?.now ?? (() => new Date());
  const links = new SignedLinks({ secret: 'test-secret', baseUrl: () => url, now });
  const uploads = {
    repository: new MemoryUploadRepository(),
    store: new LocalUploadStore(folder),
    links,
    maxBytes: MAX_UPLOAD_BYTES,
    ttlMs: 60_000,
    newId: () => toId('Upload', v7()),
    ...options.uploads,
    now,
  };
  const server = createHttpServer({
    app: fakeApplication({
      createUpload: (by, input) => createUpload(uploads, by, input),
      findUploads: (by, ids) => findUploads(uploads, by, ids),
      ...options.app,
    }),
    uploads,
    links,
    openExport: options.openExport ?? (async () => null),
    health: options.health ?? (async () => ({ ready: true, checks: {} })),
    authenticate,
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
    log,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  url = (await server.listen()).url;
  return {
    url,
    graphqlUrl: `${url}/graphql`,
    webSocketUrl: `${url.replace('http', 'ws')}/graphql`,
    links,
    uploads,
    logs,
    uploadedFiles: async () =>
      (await readdir(folder, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map(({ name }) => name),
    close: async (graceMs = 2000) => {
      await server.close(graceMs);
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
