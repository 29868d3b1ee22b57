import { findExecutable, isExecutable } from '../../../src/process/find-executable.ts';
import { type BuildOptions, buildWhisperCli, builtWhisperCli } from './build-whisper-cli.ts';
import { WhisperMissingError } from './whisper-failure.ts';

export interface FoundWhisperCli {
  readonly path: string;
  readonly source: 'config' | 'path' | 'cache' | 'built';
}

/**
 * `WHISPER_BIN`, else PATH, else an earlier build, else builds it.
 * @throws WhisperMissingError
 */
export async function findWhisperCli(
  wanted: string | undefined,
  options: BuildOptions,
  signal: AbortSignal,
): Promise<FoundWhisperCli> {
  if (wanted !== undefined) {
    if (await isExecutable(wanted)) return { path: wanted, source: 'config' };
    throw new WhisperMissingError(`WHISPER_BIN is ${wanted}, which is no program.`);
  }
  const inPath = await findExecutable('whisper-cli');
  if (inPath !== null) return { path: inPath, source: 'path' };
  const built = builtWhisperCli(options);
  if (await isExecutable(built)) return { path: built, source: 'cache' };
  return { path: await buildWhisperCli(options, signal), source: 'built' };
}
