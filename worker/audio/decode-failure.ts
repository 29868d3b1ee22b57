import { lastChars } from '../../src/domain/cut-text.ts';
import type { FailureKind } from '../../src/domain/vocabulary.ts';
import { EngineError } from '../engines/engine.ts';
import { withoutPaths } from '../run/run-failure.ts';

function make(kind: FailureKind, code: string, retryable: boolean, message: string) {
  return (detail?: string) =>
    new EngineError({
      kind,
      code,
      message,
      retryable,
      ...(detail === undefined ? {} : { detail: lastChars(withoutPaths(detail), 4096) }),
    });
}

const seconds = (ms: number) => `${Math.round(ms / 100) / 10} s`;

/** Every way in which turning a recording into samples fails. */
export const DecodeFailure = {
  empty: make('AUDIO', 'AUDIO_EMPTY', false, 'The recording is empty.'),
  unreadable: make(
    'AUDIO',
    'AUDIO_UNREADABLE',
    false,
    'The file is damaged or no recording in a format we read (such as mp3, m4a, wav, flac, ogg, webm or mp4).',
  ),
  noStream: make('AUDIO', 'AUDIO_NO_STREAM', false, 'The file has pictures but no sound.'),
  tooLong: (maxMs: number) =>
    make('AUDIO', 'AUDIO_TOO_LONG', false, `The recording is longer than the ${seconds(maxMs)} allowed.`)(),
  truncated: (decodedMs: number, claimedMs: number) =>
    make(
      'AUDIO',
      'AUDIO_TRUNCATED',
      false,
      `The file says it holds ${seconds(claimedMs)} of sound but ends after ${seconds(decodedMs)}; ` +
        'it was cut short. Send the whole file, or save it anew if this is all there is.',
    ),
  timeout: make(
    'AUDIO',
    'DECODER_TIMEOUT',
    false,
    'Decoding the recording took too long; save it in a common format and try again.',
  ),
  outOfMemory: make(
    'OUT_OF_MEMORY',
    'DECODER_OUT_OF_MEMORY',
    true,
    'Decoding the recording took more memory than the worker has.',
  ),
  crashed: make('INTERNAL', 'DECODER_CRASHED', true, 'The audio decoder crashed; it is tried again.'),
  missing: make(
    'INTERNAL',
    'DECODER_MISSING',
    true,
    'The worker has no ffmpeg that runs; its operator must install one or set FFMPEG_PATH.',
  ),
  noSpace: make(
    'INTERNAL',
    'DECODER_NO_SPACE',
    true,
    'The worker has no disk space left to decode the recording; it is tried again.',
  ),
} as const;
