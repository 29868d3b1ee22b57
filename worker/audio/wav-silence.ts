import { open } from 'node:fs/promises';
import { readSamples, wavDurationMs } from './wav.ts';

const BLOCK_MS = 10_000;
const FRAME_SAMPLES = 1600;
/** Where the mean level of a tenth of a second is below this (about -66 dB of full scale), there is no speech. */
const SILENCE_LEVEL = 16;

/**
 * True when the whole file is silent. Engines invent words for silence. Noise is left to the engine.
 */
export async function isSilent(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const durationMs = await wavDurationMs(file);
    for (let startMs = 0; startMs < durationMs; startMs += BLOCK_MS) {
      const samples = await readSamples(file, startMs, Math.min(startMs + BLOCK_MS, durationMs));
      if (hasSound(samples)) return false;
    }
    return true;
  } finally {
    await file.close();
  }
}

function hasSound(samples: Int16Array): boolean {
  for (let start = 0; start < samples.length; start += FRAME_SAMPLES) {
    const frame = samples.subarray(start, start + FRAME_SAMPLES);
    let energy = 0;
    for (const sample of frame) energy += sample ** 2;
    if (Math.sqrt(energy / frame.length) >= SILENCE_LEVEL) return true;
  }
  return false;
}
