import { createHash, randomUUID } from 'node:crypto';
import { chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { withLock } from '../../../src/process/file-lock.ts';
import { isExecutable } from '../../../src/process/find-executable.ts';
import { buildFailure, buildStep } from './build-step.ts';
import { type BuildTarget, COMPILE_RECIPE, compileWhisperCli, findCompiler } from './compile-whisper.ts';
import { patchWhisperCli, WHISPER_CLI_PATCH } from './whisper-cli-patch.ts';

/** This npm package contains the whole of whisper.cpp; nothing else of it is used, and none of its code runs. */
const PACKAGE = 'nodejs-whisper@0.3.1';
const PACKAGE_SHA512 =
  'ceoilUVraRuR5FnNyXpGQT2auAR48Oc3AQBEmkXnVpSn9iN6yVRzQBFCqVTGWbk6Wdi95NhvwXNzFvuR7erLWw==';
const SOURCES = 'package/cpp/whisper.cpp';
const WHISPER_VERSION = '1.9.1';

export interface BuildOptions {
  readonly target: BuildTarget;
  readonly cacheDirectory: string;
  readonly onStatus: (text: string) => void;
}

/** Where the build for this machine is, or will be. */
export function builtWhisperCli({ target, cacheDirectory }: Omit<BuildOptions, 'onStatus'>): string {
  const recipe = [
    PACKAGE_SHA512,
    WHISPER_CLI_PATCH,
    COMPILE_RECIPE,
    target === 'native' ? cpus()[0]?.model : '',
  ];
  const hash = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12);
  const build = [WHISPER_VERSION, process.platform, process.arch, target, hash].join('-');
  return join(cacheDirectory, 'whisper.cpp', build, 'whisper-cli');
}

/**
 * Builds whisper-cli from pinned sources with nothing but a C++ compiler, once: a second worker waits for the first.
 * Takes about a minute on two cores and leaves 3 MB behind.
 *
 * @throws WhisperMissingError with what is missing and how to get it; the signal's reason.
 */
export async function buildWhisperCli(options: BuildOptions, signal: AbortSignal): Promise<string> {
  const path = builtWhisperCli(options);
  const home = join(options.cacheDirectory, 'whisper.cpp');
  await mkdir(home, { recursive: true });
  const onWait = () => options.onStatus('waiting for another worker that builds whisper.cpp');
  await withLock(join(home, 'build.lock'), { onWait, signal }, async () => {
    if (await isExecutable(path)) return;
    const folder = join(home, `building-${randomUUID()}`);
    await mkdir(folder);
    try {
      await build(folder, path, options, signal);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
  return path;
}

async function build(
  folder: string,
  path: string,
  options: BuildOptions,
  signal: AbortSignal,
): Promise<void> {
  const { target, onStatus } = options;
  const compiler = await findCompiler(folder, target, signal);
  if (compiler === null) throw buildFailure('there is no C++ compiler');
  onStatus(`fetching the sources of whisper.cpp ${WHISPER_VERSION}`);
  await getSources(folder, signal);
  const onPercent = (percent: number) => onStatus(`building whisper.cpp ${WHISPER_VERSION}: ${percent} %`);
  const built = await compileWhisperCli(join(folder, SOURCES), target, compiler, onPercent, signal);
  await buildStep('trying it', [built, '--help'], {}, signal);
  await publish(folder, built, path);
}

async function getSources(folder: string, signal: AbortSignal): Promise<void> {
  const pack = ['pack', PACKAGE, '--ignore-scripts', '--loglevel=error', '--pack-destination', folder];
  await buildStep('fetching its sources with npm', ['npm', ...pack], {}, signal);
  const tarball = join(folder, `${PACKAGE.replace('@', '-')}.tgz`);
  const sha512 = createHash('sha512')
    .update(await readFile(tarball))
    .digest('base64');
  if (sha512 !== PACKAGE_SHA512) {
    throw buildFailure(`the registry's ${PACKAGE} is not the expected one (its sha512 is ${sha512})`);
  }
  await buildStep('unpacking', ['tar', '-xzf', tarball, '-C', folder, SOURCES], {}, signal);
  const cli = join(folder, SOURCES, 'examples/cli/cli.cpp');
  await writeFile(cli, patchWhisperCli(await readFile(cli, 'utf8')));
}

/** Renames the folder into place, so that no worker finds half a program. */
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
