import { SAMPLE_RATE } from './wav.ts';

const FRAME_MS = 20;
/** A pause between words lasts at least this long. */
const PAUSE_FRAMES = 10;

/**
 * The middle of the quietest 200 ms, in milliseconds from the first sample. It compares energy only, since a threshold
 * would fail for noisy recordings. Among equally quiet places it chooses the one nearest to the middle.
 */
export function chooseCut(samples: Int16Array): number {
  const energies = frameEnergies(samples);
  const last = energies.length - PAUSE_FRAMES;
  const totalMs = Math.floor((samples.length * 1000) / SAMPLE_RATE);
  if (last < 0) return Math.floor(totalMs / 2);
  const middle = last / 2;
  let sum = energies.slice(0, PAUSE_FRAMES).reduce((total, energy) => total + energy, 0);
  let best = { at: 0, sum };
  for (let at = 1; at <= last; at += 1) {
    sum += (energies[at + PAUSE_FRAMES - 1] ?? 0) - (energies[at - 1] ?? 0);
    const isNearer = sum === best.sum && Math.abs(at - middle) < Math.abs(best.at - middle);
    if (sum < best.sum || isNearer) best = { at, sum };
  }
  return best.at * FRAME_MS + (PAUSE_FRAMES * FRAME_MS) / 2;
}

/** Integers, so that sums over a sliding window stay exact. */
function frameEnergies(samples: Int16Array): number[] {
  const frameLength = (SAMPLE_RATE * FRAME_MS) / 1000;
  const energies: number[] = [];
  for (let start = 0; start + frameLength <= samples.length; start += frameLength) {
    let energy = 0;
    for (let at = start; at < start + frameLength; at += 1) energy += (samples[at] ?? 0) ** 2;
    energies.push(energy);
  }
  return energies;
}
