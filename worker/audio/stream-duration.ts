import { pipeline, type Readable, Transform } from 'node:stream';
import { claimedDurationMs, HEAD_BYTES } from './wav-claim.ts';

/**
 * The same stream, whose first bytes are looked at in passing: when they are a WAV file's header, `onDuration`
 * is told the length it gives, once. Other formats tell their length nowhere near the start, or only guess.
 * @param sizeBytes Of the whole recording, where it is known; a header that claims more is not believed.
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
  // The reader of the last stream hears of every failure, and its end ends the first.
  return pipeline(stream, look, () => undefined);
}

function isRiff(head: Buffer): boolean {
  return 'RIFF'.startsWith(head.toString('latin1', 0, 4));
}
