import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive } from '../../src/process/process-identity.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The first worker on a machine builds whisper.cpp. */
const FIRST_RUN_MS = 600_000;

let dataDirectory: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'start-'));
});

afterEach(async () => {
  child?.kill('SIGKILL');
  await rm(dataDirectory, { recursive: true, force: true });
});

interface Start {
  readonly output: () => string;
  readonly exited: Promise<number | null>;
  /** Resolves once the output holds the text; rejects when the program ends first. */
  shows(text: string): Promise<void>;
}

function start(...args: readonly string[]): Start {
  const { DATABASE_URL: _database, NATS_URL: _nats, PORT: _port, ...env } = process.env;
  const started = spawn(process.execPath, ['dist/src/local/start.js', ...args], {
    cwd: root,
    env: { ...env, DATA_DIR: dataDirectory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = started;
  let text = '';
  const collect = (part: Buffer): void => {
    text += part.toString();
  };
  started.stdout.on('data', collect);
  started.stderr.on('data', collect);
  const exited = new Promise<number | null>((resolve) => started.once('close', resolve));
  return {
    output: () => text,
    exited,
    shows: (wanted) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (text.includes(wanted)) resolve();
        };
        started.stdout.on('data', look);
        look();
        void exited.then(() => reject(new Error(`it ended without printing "${wanted}":\n${text}`)));
      }),
  };
}

/** Of everything that was started, by the process ids in the logs, whatever its parent is now. */
async function processesLeft(): Promise<readonly number[]> {
  const logs = ['services', 'server', 'worker'].map((name) =>
    readFile(join(dataDirectory, 'logs', `${name}.log`), 'utf8'),
  );
  const text = (await Promise.all(logs)).join('');
  const pids = new Set([...text.matchAll(/"(?:pid|servicePid)":(\d+)/g)].map((match) => Number(match[1])));
  // The starter, two services, two programs.
  expect(pids.size).toBeGreaterThanOrEqual(5);
  return [...pids].filter(isAlive);
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[a-z]+/g) ?? [];

describe('npm start', () => {
  it(
    'transcribes the sample, explains the demo model, and leaves no process behind',
    async () => {
      const expected = await readFile(join(root, 'models/demo/samples/shift.txt'), 'utf8');

      const run = start('--once');

      expect(await run.exited, run.output()).toBe(0);
      const [, transcript = ''] = /Transcript:\n([\s\S]*?)\n\n/.exec(run.output()) ?? [];
      expect(wordsOf(transcript)).toEqual(wordsOf(expected));
      expect(run.output()).toContain('it knows 76 words');
      expect(run.output()).toMatch(/then `npm start` again\.\n$/);
      expect(run.output()).toMatch(/GraphiQL +http:\/\/127\.0\.0\.1:\d+\/graphql/);
      expect(await processesLeft()).toEqual([]);
    },
    FIRST_RUN_MS,
  );

  it(
    'runs until it is stopped, and treats the Ctrl-C that npm repeats as one',
    async () => {
      const run = start();
      await run.shows('Up and running');

      child?.kill('SIGINT');
      child?.kill('SIGINT');

      expect(await run.exited, run.output()).toBe(0);
      expect(await processesLeft()).toEqual([]);
    },
    FIRST_RUN_MS,
  );
});

// In this file, since two starts at the same moment can choose the same free port.
describe('npm run dev', () => {
  it(
    'restarts the server and the worker when their sources change, and shows readable logs',
    async () => {
      const run = start('--watch');
      const shows = (pattern: RegExp, times: number): Promise<void> =>
        expect
          .poll(() => run.output().match(pattern)?.length, { timeout: FIRST_RUN_MS / 2, interval: 100 })
          .toBe(times);
      await shows(/INFO \(server\): server started/g, 1);
      await shows(/INFO \(worker\): worker takes tasks/g, 1);

      for (const path of ['src/http/routes.ts', 'worker/pull-loop.ts']) {
        await utimes(join(root, path), new Date(), new Date());
      }

      await shows(/INFO \(server\): server started/g, 2);
      await shows(/INFO \(worker\): worker takes tasks/g, 2);
      child?.kill('SIGINT');
      expect(await run.exited, run.output()).toBe(0);
      expect(run.output()).toMatch(/INFO \(server\): server stopped/);
      expect(run.output()).toMatch(/INFO \(worker\): worker stopped/);
    },
    FIRST_RUN_MS,
  );
});
