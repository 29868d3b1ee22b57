import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A real server or worker of this project, from `dist`, as its own process. */
export interface TestProcess {
  readonly pid: number;
  /** What it said when it was ready: `{ type: 'ready', url }` or `{ type: 'ready', workerId }`. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Resolves with the exit code, or null after a signal. */
  readonly exited: Promise<number | null>;
  /** Everything it wrote so far. */
  output(): string;
  /** SIGTERM, and its end awaited. */
  stop(): Promise<number | null>;
  /** SIGKILL, and its end awaited. */
  kill(): Promise<number | null>;
  signal(signal: NodeJS.Signals): void;
}

export interface TestServer extends TestProcess {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string;
}

type Environment = Readonly<Record<string, string>>;

const READY_TIMEOUT_MS = 60_000;

/** A server on a free port; `DATABASE_URL`, `NATS_URL` and `DATA_DIR` come from the test. */
export async function startServerProcess(env: Environment): Promise<TestServer> {
  const started = await startProcess(
    'src/main.js',
    { HOST: '127.0.0.1', PORT: '0', ...env },
    READY_TIMEOUT_MS,
  );
  const url = started.ready.url;
  if (typeof url !== 'string') throw new Error(`the server said no URL: ${JSON.stringify(started.ready)}`);
  return { ...started, url };
}

/** A worker; the first one on a machine may build whisper.cpp, hence the long default. */
export async function startWorkerProcess(
  env: Environment,
  readyTimeoutMs = 600_000,
  args: readonly string[] = [],
): Promise<TestProcess> {
  return startProcess('worker/main.js', env, readyTimeoutMs, args);
}

async function startProcess(
  script: string,
  env: Environment,
  readyTimeoutMs: number,
  args: readonly string[] = [],
): Promise<TestProcess> {
  const path = fileURLToPath(new URL(`../../dist/${script}`, import.meta.url));
  const child = spawn(process.execPath, ['--enable-source-maps', path, ...args], {
    env: { ...withoutTestRunner(process.env), ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => output.push(text));
  }
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  void exited.then(() => process.off('exit', killWithUs));
  const end = (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return exited;
  };
  try {
    const ready = await waitUntilReady(child, exited, readyTimeoutMs);
    return {
      pid: child.pid as number,
      ready,
      exited,
      output: () => output.join(''),
      stop: () => end('SIGTERM'),
      kill: () => end('SIGKILL'),
      signal: (signal) => void child.kill(signal),
    };
  } catch (error) {
    await end('SIGKILL');
    throw new Error(`${script} did not start: ${String(error)}\n${output.join('')}`, { cause: error });
  }
}

async function waitUntilReady(
  child: ChildProcess,
  exited: Promise<number | null>,
  timeoutMs: number,
): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready within ${timeoutMs / 1000} s`)), timeoutMs);
    const onMessage = (message: unknown): void => {
      if (typeof message !== 'object' || message === null || !('type' in message)) return;
      if (message.type !== 'ready') return;
      clearTimeout(timer);
      child.off('message', onMessage);
      resolve({ ...message });
    };
    child.on('message', onMessage);
    child.once('error', reject);
    void exited.then((code) => {
      clearTimeout(timer);
      reject(new Error(`it ended with code ${code}`));
    });
  });
}

/** The child is not a test: vitest's own variables would change how libraries behave in it. */
function withoutTestRunner(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const inherited = Object.entries(env).filter(([name]) => !name.startsWith('VITEST') && name !== 'NODE_ENV');
  return Object.fromEntries(inherited);
}
