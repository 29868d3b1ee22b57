// The way in on a bare machine: installs and builds what is missing, then runs one part of the program.
// Node's own modules only, and old syntax, because it runs before anything is installed or checked.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const stampFile = join(modules, '.installed');

const PROGRAMS = {
  start: 'dist/src/local/start.js',
  worker: 'dist/worker/main.js',
  models: 'dist/worker/models/models-command.js',
  migrate: 'dist/src/storage/migrate-command.js',
  schema: 'dist/src/graphql/print-schema.js',
};
const VITEST = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts'];
/** Need the installed packages only; the tests build what they run. */
const CHECKS = {
  test: VITEST,
  check: [...VITEST, '--project', 'repository', '--project', 'unit'],
};
/** Work on the sources, and start the built programs as processes of their own. */
const TOOLS = {
  chaos: ['--import', 'tsx', 'test/chaos/main.ts'],
  'bench:overhead': ['--import', 'tsx', 'bench/overhead.ts'],
  'bench:latency': ['--import', 'tsx', 'bench/latency.ts'],
  'bench:queue': ['--import', 'tsx', 'bench/queue.ts'],
  'bench:scale': ['--import', 'tsx', 'bench/scale.ts'],
};

const [command, ...args] = process.argv.slice(2);
const commands = { ...CHECKS, ...TOOLS, ...PROGRAMS };
if (!Object.hasOwn(commands, command ?? '')) {
  fail(`usage: node scripts/bootstrap.mjs <${Object.keys(commands).join('|')}> [arguments]`, 2);
}
checkNode();
await install();
if (!Object.hasOwn(CHECKS, command)) await build();
if (!Object.hasOwn(PROGRAMS, command)) {
  process.exitCode = await run(process.execPath, [...commands[command], ...args]);
} else {
  const program = join(root, PROGRAMS[command]);
  process.argv = [process.execPath, program, ...args];
  process.setSourceMapsEnabled(true);
  if (command === 'worker') ignoreRepeatedSignals();
  await import(pathToFileURL(program).href);
}

/** npm repeats the Ctrl-C that the terminal has sent already; the worker ends on the first, in good order. */
function ignoreRepeatedSignals() {
  let firstAt = 0;
  process.on('SIGINT', () => {
    firstAt = firstAt || Date.now();
    if (Date.now() - firstAt > 1000) process.exit(130);
  });
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(
    `This needs Node 20.19 or newer, and this is ${process.version}. Get one from https://nodejs.org or a version manager.`,
    1,
  );
}

async function install() {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const stamp = createHash('sha256')
    .update(lock)
    .update(process.platform + process.arch)
    .digest('hex');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  if (!isInstalled(JSON.parse(lock))) {
    process.stderr.write('Installing the dependencies (npm ci); this takes a minute the first time.\n');
    const npm = process.env.npm_execpath ?? '';
    // Under `npm start` that same npm; NODE_ENV=production must not leave out the compiler.
    const ci = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
    const code = npm.endsWith('npm-cli.js')
      ? await run(process.execPath, [npm, ...ci])
      : await run('npm', ci);
    if (code !== 0) fail('The dependencies could not be installed; the reason stands above.', code);
  }
  writeFileSync(stampFile, stamp);
}

/** Whether an installation made by hand has every package of the lock file, so that it need not be made again. */
function isInstalled(lock) {
  const installedFile = join(modules, '.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  return Object.entries(lock.packages).every(
    ([path, wanted]) => path === '' || wanted.optional || installed[path]?.version === wanted.version,
  );
}

async function build() {
  const code = await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
  if (code !== 0) fail('The build failed; the reason stands above.', code);
}

/** Runs a child in the repository's folder with our terminal, and gives back its exit code. */
function run(file, childArgs) {
  return new Promise((resolve) => {
    const child = spawn(file, childArgs, { cwd: root, stdio: 'inherit' });
    let forwarded = false;
    const forward = (signal) => {
      // The terminal sends Ctrl-C to the child too, and npm repeats every signal to us: a second one kills hard.
      if (forwarded || (signal === 'SIGINT' && process.stdin.isTTY)) return;
      forwarded = true;
      child.kill(signal);
    };
    process.on('SIGINT', forward);
    process.on('SIGTERM', forward);
    const settle = (code) => {
      process.off('SIGINT', forward);
      process.off('SIGTERM', forward);
      resolve(code);
    };
    child.once('error', (error) => {
      process.stderr.write(`${file} can't be run: ${error.message}\n`);
      settle(127);
    });
    child.once('exit', (code, signal) => settle(code ?? 128 + (signal === 'SIGINT' ? 2 : 15)));
  });
}

function fail(message, code) {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}
