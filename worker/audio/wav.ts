import type { FileHandle } from 'node:fs/promises';

/** The one audio format within a worker: 16 kHz, mono, signed 16 bit, WAV with a plain header. */
export const SAMPLE_RATE = 16_000;
const BYTES_PER_SAMPLE = 2;
export const WAV_HEADER_BYTES = 44;
export const WAV_BYTES_PER_MS = (SAMPLE_RATE * BYTES_PER_SAMPLE) / 1000;

/** Sizes above 4 GiB are clamped; readers use the size of the file. */
export function wavHeader(dataBytes: number): Buffer {
  const header = Buffer.alloc(WAV_HEADER_BYTES);
  const size = Math.min(dataBytes, 0xffff_ffff - 36);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(size + 36, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(SAMPLE_RATE, 24);
  header.writeUInt32LE(SAMPLE_RATE * BYTES_PER_SAMPLE, 28);
  header.writeUInt16LE(BYTES_PER_SAMPLE, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(size, 40);
  return header;
}

/** The samples from start to end, or to the end of the file. */
export async function readSamples(file: FileHandle, startMs: number, endMs: number): Promise<Int16Array> {
  const length = Math.max(0, Math.round(endMs - startMs)) * WAV_BYTES_PER_MS;
  const buffer = Buffer.alloc(length);
  const position = WAV_HEADER_BYTES + Math.round(startMs) * WAV_BYTES_PER_MS;
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return new Int16Array(buffer.buffer, buffer.byteOffset, Math.floor(filled / BYTES_PER_SAMPLE));
}

/** The duration by the size of the file, rounded down to milliseconds. */
export async function wavDurationMs(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  return Math.max(0, Math.floor((size - WAV_HEADER_BYTES) / WAV_BYTES_PER_MS));
}
