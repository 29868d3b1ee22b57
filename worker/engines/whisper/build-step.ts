import { describeExit } from '../../../src/process/child.ts';
import { runChild } from '../../../src/process/run-child.ts';
import { WhisperMissingError } from './whisper-failure.ts';

const REMEDY =
  'Install a C++ compiler (Debian and Ubuntu: apt install g++; Alpine: apk add g++; macOS: xcode-select --install), ' +
  'or whisper.cpp itself (macOS: brew install whisper-cpp), or set WHISPER_BIN to a whisper-cli.';

export function buildFailure(reason: string, output = ''): WhisperMissingError {
  return new WhisperMissingError(`whisper-cli could not be built: ${reason}. ${REMEDY}\n${output}`.trim());
}

/**
 * Runs one program of the build.
 *
 * @throws WhisperMissingError with the end of its output when it fails; the signal's reason.
 */
export async function buildStep(
  what: string,
  command: readonly [string, ...string[]],
  options: { readonly cwd?: string },
  signal: AbortSignal,
): Promise<void> {
  const [program, ...args] = command;
  const exit = await runChild(program, args, options, signal).catch((error: unknown) => {
    if (signal.aborted) throw signal.reason;
    throw buildFailure(`${what} failed (${String(error)})`);
  });
  if (exit.code !== 0) throw buildFailure(`${what} failed (${describeExit(exit)})`, exit.errorTail);
}
