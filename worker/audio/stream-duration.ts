import { pipeline, type Readable, Transform } from 'node:stream';
import { claimedDurationMs, HEAD_BYTES } from './wav-claim.ts';

/**
 * The same stream. If it starts with the header of a WAV file, `onDuration` is called once with the duration in it. Other
 * formats do not have their duration near the start, or only an estimate.
 *
 * @param sizeBytes Of the whole recording, if known; a header that claims more is ignored.
 */
export function withDuration(
  stream: Readable,
  sizeBytes: number | null,
  onDuration: (durationMs: number) => void,
): Readable {
  let head: Buffer | null = Buffer.alloc(0);
  const look = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (head !== null) {
        head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)]);
        const durationMs = claimedDurationMs(head, sizeBytes);
        if (durationMs !== null) onDuration(durationMs);
        if (durationMs !== null || head.length === HEAD_BYTES || !isRiff(head)) head = null;
      }
      done(null, chunk);
    },
  });
  // A failure of the first stream reaches the reader of the last, and ending the last ends the first.
  return pipeline(stream, look, () => undefined);
}

function isRiff(head: Buffer): boolean {
  return 'RIFF'.startsWith(head.toString('latin1', 0, 4));
}
