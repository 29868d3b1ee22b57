import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { findExecutable, isExecutable } from '../../../src/process/find-executable.ts';
import { buildStep } from './build-step.ts';
import { type BuildOptions, buildWhisperCli, builtWhisperCli } from './build-whisper.ts';
import { WhisperMissingError } from './whisper-failure.ts';

export interface FoundWhisper {
  /** A whisper-cli, or a program that takes its arguments and prints its lines. */
  readonly command: readonly [string, ...string[]];
  readonly source: 'config' | 'path' | 'cache' | 'built' | 'prebuilt';
  /** For the operator: why this one is slow, and the remedy. */
  readonly notice?: string;
}

/**
 * `WHISPER_BIN`, else a whisper-cli in PATH, else an earlier build, else a new one, else the prebuilt engine.
 *
 * @throws WhisperMissingError with the remedies; the signal's reason.
 */
export async function findWhisper(
  wanted: string | undefined,
  options: BuildOptions,
  signal: AbortSignal,
): Promise<FoundWhisper> {
  if (wanted !== undefined) {
    if (await isExecutable(wanted)) return { command: [wanted], source: 'config' };
    throw new WhisperMissingError(`WHISPER_BIN is ${wanted}, which is not an executable file.`);
  }
  const inPath = await findExecutable('whisper-cli');
  if (inPath !== null) return { command: [inPath], source: 'path' };
  const built = builtWhisperCli(options);
  if (await isExecutable(built)) return { command: [built], source: 'cache' };
  try {
    return { command: [await buildWhisperCli(options, signal)], source: 'built' };
  } catch (error) {
    const prebuilt = error instanceof WhisperMissingError ? await findPrebuilt(signal) : null;
    if (prebuilt === null) throw error;
    const notice = `Transcribing with a prebuilt engine, about ten times slower. ${(error as Error).message}`;
    return { command: prebuilt, source: 'prebuilt', notice };
  }
}

/** The prebuilt addon in a process of its own; null where there is none for this machine, or it does not load. */
async function findPrebuilt(signal: AbortSignal): Promise<readonly [string, ...string[]] | null> {
  const program = fileURLToPath(new URL('./prebuilt-whisper.mjs', import.meta.url));
  try {
    const addon = createRequire(import.meta.url).resolve(
      `@fugood/node-whisper-${process.platform}-${process.arch}`,
    );
    const command = [process.execPath, program, addon] as const;
    await buildStep('loading the prebuilt engine', command, {}, signal);
    return command;
  } catch {
    signal.throwIfAborted();
    return null;
  }
}
