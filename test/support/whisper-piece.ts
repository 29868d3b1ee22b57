import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { TranscriptionOptions } from '../../src/domain/transcription-options.ts';
import { WAV_BYTES_PER_MS, WAV_HEADER_BYTES, wavHeader } from '../../worker/audio/wav.ts';
import type { WavPiece } from '../../worker/engines/engine.ts';
import { DEFAULT_OPTIONS } from './builders.ts';

/** A recording of the repository and what is said in it. */
export function sample(name: 'hello' | 'shift'): { readonly wav: string; readonly text: string } {
  const path = (ending: string) =>
    fileURLToPath(new URL(`../../models/demo/samples/${name}.${ending}`, import.meta.url));
  return { wav: path('wav'), text: path('txt') };
}

/** The words alone: case, punctuation and line ends don't matter. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z]+/g) ?? [];
}

/** Writes a WAV file of these parts: the sound of a file, or milliseconds of silence. */
export async function writeWav(path: string, parts: readonly (string | number)[]): Promise<number> {
  const data = await Promise.all(
    parts.map(async (part) =>
      typeof part === 'number'
        ? Buffer.alloc(part * WAV_BYTES_PER_MS)
        : (await readFile(part)).subarray(WAV_HEADER_BYTES),
    ),
  );
  const samples = Buffer.concat(data);
  await writeFile(path, Buffer.concat([wavHeader(samples.length), samples]));
  return Math.floor(samples.length / WAV_BYTES_PER_MS);
}

export async function writeSamples(path: string, samples: Int16Array): Promise<void> {
  const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  await writeFile(path, Buffer.concat([wavHeader(bytes.length), bytes]));
}

export function aPiece(
  changes: Pick<WavPiece, 'path' | 'durationMs' | 'workDirectory'> & {
    readonly language?: string | null;
    readonly options?: Partial<TranscriptionOptions>;
  },
): WavPiece {
  const { options, ...others } = changes;
  return { language: null, ...others, options: { ...DEFAULT_OPTIONS, ...options } };
}
