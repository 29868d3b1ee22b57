import type { ExportFormat, ExportOptions } from '../../src/captions/export-options.ts';
import { type TranscriptHead, transcriptWriter } from '../../src/captions/transcript-formats.ts';
import type { Segment } from '../../src/domain/transcript.ts';

/** The whole document at once. */
export function writeTranscript(
  format: ExportFormat,
  head: TranscriptHead,
  segments: Iterable<Segment>,
  options: ExportOptions,
): string {
  const writer = transcriptWriter(format, head, options);
  return writer.head + [...writer.segments(segments)].join('') + writer.end();
}
