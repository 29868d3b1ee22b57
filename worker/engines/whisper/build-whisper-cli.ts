import { createHash, randomUUID } from 'node:crypto';
import { chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { arch, availableParallelism, cpus, freemem, platform } from 'node:os';
import { join } from 'node:path';
import type { ChildExit } from '../../../src/process/child.ts';
import { withLock } from '../../../src/process/file-lock.ts';
import { findExecutable, isExecutable } from '../../../src/process/find-executable.ts';
import { runChild } from '../../../src/process/run-child.ts';
import { PATCH_VERSION, patchWhisperCli } from './whisper-cli-patch.ts';
import { WhisperMissingError } from './whisper-failure.ts';

/** This npm package carries whisper.cpp whole; nothing else of it is used, and none of its code runs. */
const PACKAGE = 'nodejs-whisper@0.3.1';
const PACKAGE_SHA512 =
  'ceoilUVraRuR5FnNyXpGQT2auAR48Oc3AQBEmkXnVpSn9iN6yVRzQBFCqVTGWbk6Wdi95NhvwXNzFvuR7erLWw==';
const SOURCES = 'package/cpp/whisper.cpp';
const WHISPER_VERSION = '1.9.1';
/** A compiler takes up to this much; more at once would have the machine swap. */
const BYTES_PER_COMPILER = 1024 ** 3;

const REMEDY =
  'Install cmake and a C++ compiler (Debian and Ubuntu: apt install cmake g++ make; macOS: xcode-select --install ' +
  'and brew install cmake), or install whisper.cpp itself (brew install whisper-cpp), or set WHISPER_BIN.';

export interface BuildOptions {
  /** `native` is fastest on this machine's CPU; `portable` runs on any with AVX2, for images. */
  readonly target: 'native' | 'portable';
  readonly cacheDirectory: string;
  readonly onStatus: (text: string) => void;
}

/** Where the build for this machine is, or will be. */
export function builtWhisperCli(options: Pick<BuildOptions, 'target' | 'cacheDirectory'>): string {
  const cpu = options.target === 'native' ? `-${shortHash(cpus()[0]?.model ?? '')}` : '';
  const build = `${WHISPER_VERSION}-${PATCH_VERSION}-${platform()}-${arch()}-${options.target}${cpu}`;
  return join(options.cacheDirectory, 'whisper.cpp', build, 'whisper-cli');
}

/**
 * Builds whisper-cli from pinned sources, once: a second worker waits for the first. Takes about two minutes on
 * two cores and leaves about 3 MB behind.
 * @throws WhisperMissingError naming what is missing and how to get it.
 */
export async function buildWhisperCli(options: BuildOptions, signal: AbortSignal): Promise<string> {
  const path = builtWhisperCli(options);
  const home = join(options.cacheDirectory, 'whisper.cpp');
  await mkdir(home, { recursive: true });
  await requireTools();
  const onWait = () => options.onStatus('waiting for another worker that builds whisper.cpp');
  await withLock(join(home, 'build.lock'), { onWait, signal }, async () => {
    if (await isExecutable(path)) return;
    const folder = join(home, `building-${randomUUID()}`);
    await mkdir(folder);
    try {
      await getSources(folder, options.onStatus, signal);
      const built = await compile(folder, options, signal);
      await publish(folder, built, path);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
  return path;
}

async function requireTools(): Promise<void> {
  const compilers = await Promise.all(['c++', 'g++', 'clang++'].map((name) => findExecutable(name)));
  const makers = await Promise.all(['make', 'ninja'].map((name) => findExecutable(name)));
  const missing = [
    (await findExecutable('cmake')) === null ? 'cmake' : null,
    compilers.every((path) => path === null) ? 'a C++ compiler' : null,
    makers.every((path) => path === null) ? 'make' : null,
    (await findExecutable('tar')) === null ? 'tar' : null,
  ].filter((name) => name !== null);
  if (missing.length > 0) {
    throw new WhisperMissingError(
      `There is no whisper-cli on this machine, and it can't be built: ${missing.join(', ')} is missing. ${REMEDY}`,
    );
  }
}

async function getSources(folder: string, onStatus: (text: string) => void, signal: AbortSignal) {
  onStatus(`fetching the sources of whisper.cpp ${WHISPER_VERSION}`);
  const npm = platform() === 'win32' ? 'npm.cmd' : 'npm';
  const pack = ['pack', PACKAGE, '--ignore-scripts', '--loglevel=error', '--pack-destination', folder];
  await step('fetching its sources with npm', npm, pack, {}, signal);
  const tarball = join(folder, `${PACKAGE.replace('@', '-')}.tgz`);
  const sha512 = createHash('sha512')
    .update(await readFile(tarball))
    .digest('base64');
  if (sha512 !== PACKAGE_SHA512) {
    throw new WhisperMissingError(
      `The registry's ${PACKAGE} is not the one this was tested with (sha512 ${sha512}); it was not used.`,
    );
  }
  await step('unpacking', 'tar', ['-xzf', tarball, '-C', folder, SOURCES], {}, signal);
  const cli = join(folder, SOURCES, 'examples/cli/cli.cpp');
  await writeFile(cli, patchWhisperCli(await readFile(cli, 'utf8')));
}

async function compile(folder: string, options: BuildOptions, signal: AbortSignal): Promise<string> {
  const say = (text: string) => options.onStatus(`building whisper.cpp ${WHISPER_VERSION}: ${text}`);
  const build = join(folder, 'build');
  const configure = [
    ...['-S', join(folder, SOURCES), '-B', build, '-DCMAKE_BUILD_TYPE=Release', '-DBUILD_SHARED_LIBS=OFF'],
    `-DGGML_NATIVE=${options.target === 'native' ? 'ON' : 'OFF'}`,
    ...['-DWHISPER_BUILD_TESTS=OFF', '-DWHISPER_BUILD_SERVER=OFF'],
    ...(platform() === 'linux' ? ['-DCMAKE_EXE_LINKER_FLAGS=-static-libgcc -static-libstdc++'] : []),
  ];
  say('0 %');
  await step('configuring', 'cmake', configure, {}, signal);
  const jobs = Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / BYTES_PER_COMPILER)));
  let before = 0;
  const onLine = (line: string) => {
    const percent = Number(/^\[\s*(\d+)%\]/.exec(line)?.[1] ?? 0);
    if (percent > before) say(`${percent} %`);
    before = Math.max(before, percent);
  };
  const args = ['--build', build, '--target', 'whisper-cli', '-j', String(jobs)];
  await step('compiling', 'cmake', args, { onLine }, signal);
  const built = join(build, 'bin', 'whisper-cli');
  await step('trying it', built, ['--help'], {}, signal);
  return built;
}

/** Renamed into place, so that nobody ever sees half a program. */
async function publish(folder: string, built: string, path: string): Promise<void> {
  const staged = join(folder, 'staged');
  await mkdir(staged);
  await copyFile(built, join(staged, 'whisper-cli'));
  await chmod(join(staged, 'whisper-cli'), 0o755);
  await copyFile(join(folder, SOURCES, 'LICENSE'), join(staged, 'LICENSE'));
  const target = join(path, '..');
  await rm(target, { recursive: true, force: true });
  await rename(staged, target);
}

async function step(
  what: string,
  command: string,
  args: readonly string[],
  options: { readonly onLine?: (line: string) => void },
  signal: AbortSignal,
): Promise<ChildExit> {
  const exit = await runChild(command, args, options, signal).catch((error: unknown) => {
    if (signal.aborted) throw signal.reason;
    throw new WhisperMissingError(
      `whisper-cli could not be built: ${what} failed (${String(error)}). ${REMEDY}`,
    );
  });
  if (exit.code === 0) return exit;
  throw new WhisperMissingError(
    `whisper-cli could not be built: ${what} failed (exit ${exit.code ?? exit.signal}). ${REMEDY}\n${exit.errorTail}`,
  );
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
