import { open } from 'node:fs/promises';
import { readSamples, SAMPLE_RATE, wavDurationMs } from './wav.ts';

const FRAME_MS = 20;
const FRAME_SAMPLES = (SAMPLE_RATE * FRAME_MS) / 1000;
const BLOCK_MS = 10_000;
/** Center frequencies of the bands, where vowels and consonants differ. */
const BANDS_HZ = [200, 350, 550, 850, 1300, 2000, 3000, 4500];
const BAND_QUALITY = 2;
/** The distance between compared spectra: about the length of a speech sound. */
const LAG_FRAMES = 3;
/** A frame moves when the shape of its spectrum differs by this much from the one before, in dB. */
const MOVED_DB = 3;
/** Noise, hums and held chords move in none of 1000 frames; speech in 30 %, as loud as the noise around it in 14 %. */
const LEAST_MOVED_SHARE = 0.02;
/** Between its onsets the spectrum of a plucked note hardly changes (0.1 dB); the median of speech is above 1 dB. */
const LEAST_MEDIAN_DB = 0.3;
/** Less audio than this is not judged. */
const FEWEST_FRAMES = 25;
/** Frames this far below the loudest are pauses and do not count. */
const PAUSE_DB = 30;
/** Silence, as in wav-silence.ts: a mean level of 16 of 32,768. */
const SILENT_DB = 24;
/** Times of engines are not exact, so a shorter stretch is judged together with what surrounds it. */
const LEAST_STRETCH_MS = 1000;
const WINDOW_MS = 2000;

/** Where in a recording there may be speech, by how its spectrum changes. */
export interface SpeechEvidence {
  /** False for what is certainly not speech: silence, steady noise, hum, plain music. */
  mayBeSpeech(startMs: number, endMs: number): boolean;
  /** Whether any stretch of the recording may be speech. */
  readonly anywhere: boolean;
}

/**
 * The spectrum of speech changes from one sound to the next, many times a second, in every language; that of a fan, rain,
 * a hum or a held chord does not, however loud it is. Doubtful cases, such as applause or a song, count as speech and
 * are left to the engine.
 *
 * @param path 16 kHz mono s16 WAV, read in blocks; memory grows by 8 bytes per frame only.
 */
export async function findSpeechEvidence(path: string): Promise<SpeechEvidence> {
  const file = await open(path, 'r');
  try {
    const durationMs = await wavDurationMs(file);
    const frames = new FrameSeries(Math.ceil(durationMs / FRAME_MS));
    for (let startMs = 0; startMs < durationMs; startMs += BLOCK_MS) {
      frames.add(await readSamples(file, startMs, Math.min(startMs + BLOCK_MS, durationMs)));
    }
    return judge(frames);
  } finally {
    await file.close();
  }
}

/** The same for samples in memory. */
export function speechEvidenceOf(samples: Int16Array): SpeechEvidence {
  const frames = new FrameSeries(Math.ceil(samples.length / FRAME_SAMPLES));
  frames.add(samples);
  return judge(frames);
}

function judge(frames: FrameSeries): SpeechEvidence {
  const mayBeSpeech = (startMs: number, endMs: number): boolean => {
    const marginMs = Math.max(0, LEAST_STRETCH_MS - (endMs - startMs)) / 2;
    const from = Math.max(0, Math.floor((startMs - marginMs) / FRAME_MS));
    return isMoving(frames, from, Math.min(frames.count, Math.ceil((endMs + marginMs) / FRAME_MS)));
  };
  const lastMs = frames.count * FRAME_MS;
  let anywhere = false;
  for (let startMs = 0; startMs < lastMs && !anywhere; startMs += WINDOW_MS / 2) {
    anywhere = mayBeSpeech(startMs, startMs + WINDOW_MS);
  }
  return { mayBeSpeech, anywhere };
}

function isMoving(frames: FrameSeries, from: number, to: number): boolean {
  let loudest = SILENT_DB;
  for (let at = from; at < to; at += 1) loudest = Math.max(loudest, frames.level(at));
  const heardFrom = Math.max(SILENT_DB, loudest - PAUSE_DB);
  const changes: number[] = [];
  for (let at = from; at < to; at += 1) if (frames.level(at) >= heardFrom) changes.push(frames.change(at));
  if (changes.length === 0) return false;
  if (changes.length < FEWEST_FRAMES) return true;
  changes.sort((a, b) => a - b);
  const moved = changes.filter((change) => change > MOVED_DB).length;
  return (
    moved / changes.length >= LEAST_MOVED_SHARE &&
    (changes[Math.floor(changes.length / 2)] ?? 0) >= LEAST_MEDIAN_DB
  );
}

/** Of each frame its level, and how much the shape of the spectrum changed since `LAG_FRAMES` before. */
class FrameSeries {
  count = 0;
  readonly #levels: Float32Array;
  readonly #changes: Float32Array;
  readonly #filters = BANDS_HZ.map((hz) => new BandFilter(hz));
  /** Band levels of the last frames in dB, the newest last. */
  readonly #recent: number[][] = [];
  #before: readonly number[] | null = null;

  constructor(capacity: number) {
    this.#levels = new Float32Array(capacity);
    this.#changes = new Float32Array(capacity);
  }

  level = (at: number): number => this.#levels[at] ?? 0;
  change = (at: number): number => this.#changes[at] ?? 0;

  add(samples: Int16Array): void {
    for (let start = 0; start + FRAME_SAMPLES <= samples.length; start += FRAME_SAMPLES) {
      const frame = samples.subarray(start, start + FRAME_SAMPLES);
      const energies = this.#filters.map((filter) => filter.energyOf(frame));
      // The mean of two frames halves the randomness of noise.
      const smooth = energies.map((energy, band) => toDb((energy + (this.#before?.[band] ?? energy)) / 2));
      this.#before = energies;
      this.#recent.push(smooth);
      if (this.#recent.length > LAG_FRAMES + 1) this.#recent.shift();
      this.#levels[this.count] = Math.max(...smooth);
      this.#changes[this.count] = shapeChange(this.#recent[0] ?? smooth, smooth);
      this.count += 1;
    }
  }
}

const toDb = (energy: number): number => 10 * Math.log10(energy + 4);

/** Without the part that is common to all bands, so that a change of loudness alone does not count. */
function shapeChange(before: readonly number[], now: readonly number[]): number {
  const changes = now.map((level, band) => level - (before[band] ?? level));
  const mean = changes.reduce((sum, change) => sum + change, 0) / changes.length;
  return Math.sqrt(changes.reduce((sum, change) => sum + (change - mean) ** 2, 0) / changes.length);
}

/** Source: R. Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients", BPF with 0 dB peak. */
class BandFilter {
  readonly #gain: number;
  readonly #a1: number;
  readonly #a2: number;
  #x1 = 0;
  #x2 = 0;
  #y1 = 0;
  #y2 = 0;

  constructor(hz: number) {
    const angle = (2 * Math.PI * hz) / SAMPLE_RATE;
    const alpha = Math.sin(angle) / (2 * BAND_QUALITY);
    this.#gain = alpha / (1 + alpha);
    this.#a1 = (-2 * Math.cos(angle)) / (1 + alpha);
    this.#a2 = (1 - alpha) / (1 + alpha);
  }

  energyOf(frame: Int16Array): number {
    let [x1, x2, y1, y2] = [this.#x1, this.#x2, this.#y1, this.#y2];
    const [gain, a1, a2] = [this.#gain, this.#a1, this.#a2];
    let energy = 0;
    for (let at = 0; at < frame.length; at += 1) {
      const x = frame[at] ?? 0;
      const y = gain * (x - x2) - a1 * y1 - a2 * y2;
      x2 = x1;
      x1 = x;
      y2 = y1;
      y1 = y;
      energy += y * y;
    }
    [this.#x1, this.#x2, this.#y1, this.#y2] = [x1, x2, y1, y2];
    return energy / frame.length;
  }
}
