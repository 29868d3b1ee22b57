import { createReadStream, createWriteStream } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { chooseCut } from './choose-cut.ts';
import { readSamples, WAV_BYTES_PER_MS, WAV_HEADER_BYTES, wavDurationMs, wavHeader } from './wav.ts';

export interface AudioPiece {
  /** A 16 kHz mono s16 WAV file; the caller deletes it. */
  readonly path: string;
  /** Milliseconds from the start of the recording. */
  readonly startMs: number;
  readonly durationMs: number;
}

export interface CutOptions {
  /** Where to start, such as a checkpoint. */
  readonly fromMs: number;
  /** Where to end; null for the end of the recording. */
  readonly endMs: number | null;
  /** The usual length: pieces have 0.8 to 1.2 times of it, the last one 0.3 to 1.5 times. */
  readonly pieceMs: number;
  readonly directory: string;
}

const SHORTEST_SHARE = 0.8;
const LONGEST_SHARE = 1.2;
/** A remainder up to this stays whole, so that no piece is too short to be worth the start of an engine. */
const LAST_SHARE = 1.5;

/**
 * The pieces of a recording, in order and without gaps, cut at the quietest places. The file of a piece is written when
 * the piece is requested. The same recording from the same start gives the same pieces.
 */
export async function* cutAudio(
  wavPath: string,
  options: CutOptions,
  signal: AbortSignal,
): AsyncGenerator<AudioPiece> {
  const file = await open(wavPath, 'r');
  try {
    const totalMs = await wavDurationMs(file);
    const endMs = Math.min(options.endMs ?? totalMs, totalMs);
    let startMs = options.fromMs;
    while (startMs < endMs) {
      signal.throwIfAborted();
      let cutMs = endMs;
      if (endMs - startMs > options.pieceMs * LAST_SHARE) {
        const fromMs = startMs + Math.round(options.pieceMs * SHORTEST_SHARE);
        const toMs = startMs + Math.round(options.pieceMs * LONGEST_SHARE);
        cutMs = fromMs + chooseCut(await readSamples(file, fromMs, toMs));
      }
      const path = join(options.directory, `piece-${startMs}.wav`);
      await writePiece(wavPath, path, startMs, cutMs, signal);
      yield { path, startMs, durationMs: cutMs - startMs };
      startMs = cutMs;
    }
  } finally {
    await file.close();
  }
}

async function writePiece(
  wavPath: string,
  path: string,
  startMs: number,
  endMs: number,
  signal: AbortSignal,
): Promise<void> {
  const start = WAV_HEADER_BYTES + startMs * WAV_BYTES_PER_MS;
  const length = (endMs - startMs) * WAV_BYTES_PER_MS;
  await writeFile(path, wavHeader(length), { mode: 0o600 });
  const samples = createReadStream(wavPath, { start, end: start + length - 1 });
  await pipeline(samples, createWriteStream(path, { flags: 'a' }), { signal });
}
