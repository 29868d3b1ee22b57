import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeptRunning } from '../../../src/local/keep-running.ts';
import { LocalServiceError } from '../../../src/local/local-service.ts';
import { type RunningProgram, startProgram } from '../../../src/local/program.ts';

let directory: string;
let program: KeptRunning<RunningProgram> | undefined;
let statuses: string[];
let notices: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'start-program-'));
  statuses = [];
  notices = [];
});

afterEach(async () => {
  await program?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function keep(source: string, graceMs = 10_000): Promise<KeptRunning<RunningProgram>> {
  const script = join(directory, 'program.mjs');
  await writeFile(script, source);
  const options = {
    name: 'The worker',
    script,
    env: process.env,
    logFile: join(directory, 'worker.log'),
    graceMs,
    onStatus: (text: string) => statuses.push(text),
  };
  program = new KeptRunning({
    name: options.name,
    start: (signal) => startProgram(options, signal),
    onNotice: (text) => notices.push(text),
  });
  return program;
}

const READY = `process.send({ type: 'ready', workerId: 'w1', pid: process.pid });`;
const STAY = `setInterval(() => {}, 1000);`;

describe('a program that is kept running', () => {
  it('reports when it is ready, and what it does until then', async () => {
    const kept = await keep(`process.send({ type: 'status', text: 'building 50 %' }); ${READY} ${STAY}`);

    expect((await kept.started).ready).toMatchObject({ workerId: 'w1' });
    expect(statuses).toEqual(['building 50 %']);
  });

  it('is given up with its last lines, in words, when it never gets ready', async () => {
    const kept = await keep(
      `console.error(JSON.stringify({ msg: 'no compiler', err: { message: 'cmake not found' } })); process.exit(3);`,
    );

    await expect(kept.started).rejects.toThrow(
      /did not start: exit code 3[\s\S]*no compiler: cmake not found/,
    );
    expect(await kept.ended).toBeInstanceOf(LocalServiceError);
    expect(notices).toEqual([]);
  });

  it('starts again after a crash, and says so', async () => {
    const kept = await keep(`${READY} ${STAY}`);
    const { pid } = (await kept.started).ready;

    process.kill(Number(pid), 'SIGKILL');

    await vi.waitFor(() => expect(notices.at(-1)).toBe('The worker is back.'), { timeout: 20_000 });
    expect(notices[0]).toMatch(/^The worker crashed and starts again in 1 s: signal SIGKILL/);
  });

  it('is asked to stop, and killed when it does not', async () => {
    const polite = await keep(
      `process.on('SIGTERM', () => { console.log('bye'); process.exit(0); }); ${READY} ${STAY}`,
    );
    await polite.started;
    await polite.stop();
    expect(await readFile(join(directory, 'worker.log'), 'utf8')).toBe('bye\n');

    const stubborn = await keep(`process.on('SIGTERM', () => {}); ${READY} ${STAY}`, 100);
    const { pid } = (await stubborn.started).ready;
    await stubborn.stop();
    expect(() => process.kill(Number(pid), 0)).toThrow(/ESRCH/);
    expect(await stubborn.ended).toBeNull();
    expect(notices).toEqual([]);
  });

  it('can be stopped before it is ready', async () => {
    const kept = await keep(`process.send({ type: 'status', text: String(process.pid) }); ${STAY}`);
    await vi.waitFor(() => expect(statuses).toHaveLength(1), { timeout: 20_000 });

    await kept.stop();

    expect(() => process.kill(Number(statuses[0]), 0)).toThrow(/ESRCH/);
    await expect(kept.started).rejects.toThrow();
  });
});
