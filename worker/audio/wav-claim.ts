import { open } from 'node:fs/promises';

/** A header may have other chunks before the audio. */
export const HEAD_BYTES = 65_536;
/** Programs that do not know the length yet write a value from here on. */
const UNKNOWN_FROM = 0x7fff_0000;

/**
 * The duration in the header of a WAV file, in milliseconds; null for other files and unknown durations. ffmpeg uses the
 * size of the file instead, and so does not notice a truncated one.
 * Source: the RIFF WAVE format, chunks `fmt ` and `data`.
 */
export async function claimedWavDurationMs(path: string): Promise<number | null> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return claimedDurationMs(buffer.subarray(0, bytesRead), null);
  } finally {
    await file.close();
  }
}

/** @param sizeBytes Of the whole file, if known; a header that claims more is ignored. */
export function claimedDurationMs(head: Buffer, sizeBytes: number | null): number | null {
  if (head.toString('latin1', 0, 4) !== 'RIFF' || head.toString('latin1', 8, 12) !== 'WAVE') return null;
  let bytesPerSecond = 0;
  for (let at = 12; at + 8 <= head.length; ) {
    const name = head.toString('latin1', at, at + 4);
    const size = head.readUInt32LE(at + 4);
    if (name === 'fmt ' && at + 20 <= head.length) bytesPerSecond = head.readUInt32LE(at + 16);
    if (name === 'data') {
      const isKnown = size > 0 && size < UNKNOWN_FROM && bytesPerSecond > 0;
      const fits = sizeBytes === null || at + 8 + size <= sizeBytes;
      return isKnown && fits ? Math.floor((size * 1000) / bytesPerSecond) : null;
    }
    at += 8 + size + (size % 2);
  }
  return null;
}
