import { lastChars } from '../../../src/domain/cut-text.ts';
import type { FailureKind } from '../../../src/domain/vocabulary.ts';
import type { ChildExit } from '../../../src/process/child.ts';
import { withoutPaths } from '../../run/run-failure.ts';
import { EngineError } from '../engine.ts';

/** The engine cannot start on this machine; the message names the remedy. */
export class WhisperMissingError extends Error {
  override readonly name = 'WhisperMissingError';
}

function make(kind: FailureKind, code: string, retryable: boolean, message: string) {
  return (detail?: string, cause?: unknown) =>
    new EngineError(
      {
        kind,
        code,
        message,
        retryable,
        ...(detail === undefined ? {} : { detail: lastChars(withoutPaths(detail), 4096) }),
      },
      { cause },
    );
}

const NO_MODEL =
  'The model file of this worker is damaged; its operator must pull it again (npm run models).';

export const WhisperFailure = {
  modelUnknown: (name: string, available: readonly string[]) =>
    make(
      'UNSUPPORTED',
      'MODEL_UNKNOWN',
      false,
      `This worker does not have the model ${name}; available: ${available.join(', ')}.`,
    )(),
  languageUnsupported: (language: string, model: string, why: string) =>
    make(
      'UNSUPPORTED',
      'LANGUAGE_UNSUPPORTED',
      false,
      `The model ${model} cannot transcribe the language ${language}: ${why}.`,
    )(),
  diarizationUnsupported: make(
    'UNSUPPORTED',
    'DIARIZATION_UNSUPPORTED',
    false,
    'whisper.cpp cannot distinguish speakers; use the engine DEEPGRAM or omit diarize.',
  ),
  modelUnreadable: make('ENGINE_UNAVAILABLE', 'MODEL_UNREADABLE', true, NO_MODEL),
  missing: make(
    'ENGINE_UNAVAILABLE',
    'ENGINE_MISSING',
    true,
    'The speech engine of this worker does not start; the attempt is repeated.',
  ),
  crashed: make(
    'ENGINE_UNAVAILABLE',
    'ENGINE_CRASHED',
    true,
    'The speech engine crashed on this recording; the attempt is repeated.',
  ),
  incompatible: make(
    'ENGINE_UNAVAILABLE',
    'ENGINE_INCOMPATIBLE',
    true,
    'The speech engine of this worker was built for another CPU; its operator must build it on that machine.',
  ),
  outOfMemory: make(
    'OUT_OF_MEMORY',
    'ENGINE_OUT_OF_MEMORY',
    true,
    'The worker ran out of memory while transcribing; use a smaller model.',
  ),
  failed: make(
    'ENGINE_UNAVAILABLE',
    'ENGINE_FAILED',
    true,
    'The speech engine failed; the attempt is repeated.',
  ),
  noOutput: make(
    'ENGINE_UNAVAILABLE',
    'ENGINE_NO_OUTPUT',
    true,
    'The speech engine ended without a result; the attempt is repeated.',
  ),
} as const;

/** Null for an exit that may be a success: whisper-cli also exits with 0 when it cannot read the audio. */
export function failureOfExit(exit: ChildExit): EngineError | null {
  const detail = `exit ${exit.code ?? exit.signal}\n${exit.errorTail}`;
  if (exit.signal === 'SIGKILL' || /failed to allocate|bad_alloc/.test(exit.errorTail)) {
    return WhisperFailure.outOfMemory(detail);
  }
  if (exit.signal === 'SIGILL' || exit.code === 132) return WhisperFailure.incompatible(detail);
  if (exit.signal !== null || exit.code === 134 || exit.code === 139) return WhisperFailure.crashed(detail);
  if (exit.code === 126 || exit.code === 127) return WhisperFailure.missing(detail);
  if (exit.code === 3) return WhisperFailure.modelUnreadable(detail);
  return exit.code === 0 ? null : WhisperFailure.failed(detail);
}
