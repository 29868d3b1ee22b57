import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { findNatsServer } from '../../src/local/find-nats-server.ts';
import { startPostgres } from '../../src/local/postgres.ts';
import { createLogger, type Logger } from '../../src/observability/logger.ts';
import { migrate } from '../../src/storage/migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of a database to connect to while making others. */
    readonly postgresUrl: string;
    /** A migrated database that tests clone; nobody connects to it. */
    readonly templateDatabase: string;
    readonly natsServerBinary: string;
  }
}

const TEMPLATE = 'template_migrated';

/** What every integration test shares: one Postgres with a migrated template, the nats-server program, `dist`. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const log = createLogger('test', process.env.LOG_LEVEL ?? 'warn');
  const root = fileURLToPath(new URL('../..', import.meta.url));
  await build(root);
  const natsServer = await findNatsServer(process.env, log);
  const dataDirectory = await mkdtemp(join(tmpdir(), 'transcription-test-'));
  const postgres = await startPostgres({ dataDirectory, durable: false, log });
  const teardown = async (): Promise<void> => {
    await postgres.stop();
    await rm(dataDirectory, { recursive: true, force: true });
  };
  try {
    await makeTemplate(postgres.url, log);
  } catch (error) {
    await teardown();
    throw error;
  }
  project.provide('postgresUrl', postgres.url);
  project.provide('templateDatabase', TEMPLATE);
  project.provide('natsServerBinary', natsServer.path);
  return teardown;
}

/** End-to-end tests run the compiled program. `npm test` refuses type errors; a single test file need not. */
async function build(root: string): Promise<void> {
  const output = { stdout: 'inherit', stderr: 'inherit', reject: false } as const;
  await execa(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    cwd: root,
    ...output,
  });
}

async function makeTemplate(url: string, log: Logger): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${TEMPLATE}`);
  } finally {
    await client.end();
  }
  const template = new URL(url);
  template.pathname = `/${TEMPLATE}`;
  await migrate(template.href, log);
}
