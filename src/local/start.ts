import { mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { pino } from 'pino';
import { ConfigError, readServerConfig } from '../config/config.ts';
import { DirectoryLockError, lockDirectory } from '../process/file-lock.ts';
import { aborted } from '../process/wait.ts';
import { KeptRunning } from './keep-running.ts';
import { startLocalEnvironment } from './local-environment.ts';
import { LocalServiceError } from './local-service.ts';
import { type RunningProgram, startProgram } from './program.ts';
import { SampleError, transcribeSample } from './sample.ts';
import { Shutdown } from './shutdown.ts';
import { Terminal } from './terminal.ts';
import { watchPrograms } from './watch-programs.ts';

const SAMPLE = fileURLToPath(new URL('../../../models/demo/samples/shift.wav', import.meta.url));
const EXPECTED_ERRORS = [ConfigError, DirectoryLockError, LocalServiceError, SampleError];

const command = new Command('npm start --')
  .description('Starts the whole service on this machine and transcribes a sample recording.')
  .option('--once', 'end after the sample: exit code 0 when it was transcribed')
  .option('--watch', 'run the sources and restart on every change; logs on the terminal, no sample')
  .parse();

const { once = false, watch = false } = command.opts<{ once?: boolean; watch?: boolean }>();
const terminal = new Terminal();
const shutdown = new Shutdown();
let exitCode = 0;
try {
  await run();
} catch (error) {
  if (!shutdown.signal.aborted) {
    exitCode = 1;
    terminal.endProgress();
    terminal.say(`\n${describe(error)}`);
  }
}
terminal.endProgress();
if (shutdown.signal.aborted) {
  // With --once, the sample was not transcribed.
  if (once) exitCode = 130;
  terminal.say('\nStopping. Press Ctrl-C again to quit at once.');
}
for (const error of await shutdown.run()) {
  exitCode = 1;
  terminal.say(describe(error));
}
process.exit(exitCode);

async function run(): Promise<void> {
  const config = readServerConfig(process.env);
  const dataDirectory = resolve(config.DATA_DIR);
  const logs = join(dataDirectory, 'logs');
  await mkdir(logs, { recursive: true, mode: 0o700 });
  const lock = await lockDirectory(dataDirectory);
  shutdown.add(lock.release);
  const log = pino({ level: 'debug' }, pino.destination({ dest: join(logs, 'services.log'), sync: true }));
  const { lost, env } = await startLocalEnvironment({ config, dataDirectory, log, shutdown, terminal });
  const stopped = aborted(shutdown.signal);
  if (watch) {
    const programs = await watchPrograms(env);
    shutdown.add(programs.stop);
    terminal.say(`  GraphiQL   http://${config.HOST}:${env.PORT}/graphql\n`);
    return endOf(lost, stopped);
  }
  const server = keepProgram('server', '../main.js', logs, env);
  const worker = keepProgram('worker', '../../worker/main.js', logs, env);
  const end = endOf(lost, server.ended, stopped);
  const url = String((await Promise.race([server.started, end])).ready.url);
  terminal.say(
    `  GraphiQL   ${url}/graphql\n  API        ${url}/graphql\n  logs       ${pathFromHere(logs)}\n`,
  );
  try {
    const { ready } = await Promise.race([worker.started, end]);
    log.info({ workerId: ready.workerId }, 'worker ready');
    if (typeof ready.notice === 'string') terminal.say(`${ready.notice}\n`);
    void worker.ended.then((reason) => {
      if (reason !== null) terminal.say(describe(reason));
    });
    await Promise.race([showSample(url), end]);
  } catch (error) {
    // Without a worker or a transcript, the API can still be tried.
    if (once || shutdown.signal.aborted || !isExpected(error)) throw error;
    terminal.endProgress();
    terminal.say(`\n${describe(error)}`);
  }
  if (once) return;
  terminal.say(`\nUp and running. Try it at ${url}/graphql, or press Ctrl-C to stop.`);
  await end;
}

function keepProgram(
  name: 'server' | 'worker',
  script: string,
  logs: string,
  env: NodeJS.ProcessEnv,
): KeptRunning<RunningProgram> {
  const graceSeconds = Number(name === 'worker' ? env.WORKER_GRACE_SECONDS : env.SHUTDOWN_GRACE_SECONDS);
  const options = {
    name: `The ${name}`,
    script: fileURLToPath(new URL(script, import.meta.url)),
    env,
    logFile: join(logs, `${name}.log`),
    graceMs: (graceSeconds + 5) * 1000,
    onStatus: (text: string) => terminal.status(text),
  };
  const program = new KeptRunning({
    name: options.name,
    start: (signal) => startProgram(options, signal),
    onNotice: (text) => terminal.say(text),
  });
  shutdown.add(() => program.stop());
  return program;
}

/** Rejects when the first of these settles: with the reason of what was given up, if there is one. */
async function endOf(...ends: readonly Promise<unknown>[]): Promise<never> {
  throw (await Promise.race(ends)) ?? new Error('stopped');
}

async function showSample(url: string): Promise<void> {
  terminal.say(`Transcribing the sample ${pathFromHere(SAMPLE)}:`);
  const { model, text } = await transcribeSample(url, SAMPLE, terminal, shutdown.signal);
  terminal.endProgress();
  terminal.say(`\nTranscript:\n${wrap(text)}`);
  if (!model.startsWith('demo-')) return;
  terminal.say(
    `\nThis was the demo model (${model}): it knows 76 words and cannot transcribe your recordings.\n` +
      'For a real one, run `npm run models -- pull base.en` and then `npm start` again.',
  );
}

function isExpected(error: unknown): error is Error {
  return EXPECTED_ERRORS.some((expected) => error instanceof expected);
}

function describe(error: unknown): string {
  if (isExpected(error) || !(error instanceof Error))
    return error instanceof Error ? error.message : String(error);
  return error.stack ?? error.message;
}

function pathFromHere(path: string): string {
  const shorter = relative('.', path);
  return shorter.startsWith('..') ? path : shorter;
}

function wrap(text: string): string {
  return text.replaceAll(/(.{1,96})(?:\s+|$)/g, '  $1\n').trimEnd();
}
