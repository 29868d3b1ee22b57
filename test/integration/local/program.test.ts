import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Program, ProgramError } from '../../../src/local/program.ts';

let directory: string;
let program: Program | undefined;
let statuses: string[];
let notices: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'start-program-'));
  statuses = [];
  notices = [];
});

afterEach(async () => {
  await program?.stop(5_000);
  await rm(directory, { recursive: true, force: true });
});

async function start(source: string): Promise<Program> {
  const script = join(directory, 'program.mjs');
  await writeFile(script, source);
  program = new Program({
    name: 'worker',
    script,
    env: process.env,
    logFile: join(directory, 'worker.log'),
    onStatus: (text) => statuses.push(text),
    onNotice: (text) => notices.push(text),
  });
  return program;
}

const READY = `process.send({ type: 'ready', workerId: 'w1', pid: process.pid });`;
const STAY = `setInterval(() => {}, 1000);`;

describe('Program', () => {
  it('tells when it is ready, and what it does until then', async () => {
    const started = await start(`process.send({ type: 'status', text: 'building 50 %' }); ${READY} ${STAY}`);

    expect(await started.ready).toMatchObject({ workerId: 'w1' });
    expect(statuses).toEqual(['building 50 %']);
  });

  it('gives the last lines of one that never gets ready, in words', async () => {
    const started = await start(
      `console.error(JSON.stringify({ msg: 'no compiler', err: { message: 'cmake not found' } })); process.exit(3);`,
    );

    await expect(started.ready).rejects.toThrow(
      /did not start \(exit code 3\)[\s\S]*no compiler: cmake not found/,
    );
    expect(await started.givenUp).toBeInstanceOf(ProgramError);
  });

  it('starts one that crashes again and says so', async () => {
    const started = await start(`${READY} ${STAY}`);
    const { pid } = await started.ready;

    process.kill(Number(pid), 'SIGKILL');

    await vi.waitFor(() => expect(notices.at(-1)).toBe('The worker is back.'), { timeout: 20_000 });
    expect(notices[0]).toMatch(/crashed \(signal SIGKILL\)/);
  });

  it('asks it to stop in good order, and kills it when it will not', async () => {
    const polite = await start(
      `process.on('SIGTERM', () => { console.log('bye'); process.exit(0); }); ${READY} ${STAY}`,
    );
    await polite.ready;
    await polite.stop(10_000);
    expect(await readFile(join(directory, 'worker.log'), 'utf8')).toBe('bye\n');

    const stubborn = await start(`process.on('SIGTERM', () => {}); ${READY} ${STAY}`);
    const { pid } = await stubborn.ready;
    await stubborn.stop(100);
    expect(() => process.kill(Number(pid), 0)).toThrow(/ESRCH/);
    expect(notices).toEqual([]);
  });
});
