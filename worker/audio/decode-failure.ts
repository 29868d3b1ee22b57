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

/** Every way in which decoding a recording fails. */
export const DecodeFailure = {
  empty: make('AUDIO', 'AUDIO_EMPTY', false, 'The recording is empty.'),
  unreadable: make(
    'AUDIO',
    'AUDIO_UNREADABLE',
    false,
    'The file is damaged, or its format is not supported (supported are mp3, m4a, wav, flac, ogg, webm, mp4 and others).',
  ),
  noStream: make('AUDIO', 'AUDIO_NO_STREAM', false, 'The file has no audio track.'),
  tooLong: (maxMs: number) =>
    make('AUDIO', 'AUDIO_TOO_LONG', false, `The recording is longer than the ${seconds(maxMs)} allowed.`)(),
  truncated: (decodedMs: number, claimedMs: number) =>
    make(
      'AUDIO',
      'AUDIO_TRUNCATED',
      false,
      `The file is truncated: its header says ${seconds(claimedMs)} of audio, but it ends after ${seconds(decodedMs)}. ` +
        'Send the whole file, or save it again if this is all there is.',
    ),
  timeout: make(
    'AUDIO',
    'DECODER_TIMEOUT',
    false,
    'Decoding the recording took too long; convert it to a common format and try again.',
  ),
  outOfMemory: make(
    'OUT_OF_MEMORY',
    'DECODER_OUT_OF_MEMORY',
    true,
    'Decoding the recording needed more memory than allowed.',
  ),
  crashed: make('INTERNAL', 'DECODER_CRASHED', true, 'The audio decoder crashed; the job is retried.'),
  missing: make(
    'INTERNAL',
    'DECODER_MISSING',
    true,
    'The worker has no working ffmpeg; its operator must install one or set FFMPEG_PATH.',
  ),
  noSpace: make(
    'INTERNAL',
    'DECODER_NO_SPACE',
    true,
    'The worker has no disk space left to decode the recording; the job is retried.',
  ),
} as const;
