import {
  type TranscriptFormat,
  type TranscriptFormatOptions,
  type TranscriptHead,
  transcriptWriter,
} from '../../src/captions/transcript-formats.ts';
import type { Segment } from '../../src/domain/transcript.ts';

/** The whole document at once. */
export function writeTranscript(
  format: TranscriptFormat,
  head: TranscriptHead,
  segments: Iterable<Segment>,
  options: TranscriptFormatOptions,
): string {
  const writer = transcriptWriter(format, head, options);
  return writer.head + [...writer.segments(segments)].join('') + writer.tail;
}
