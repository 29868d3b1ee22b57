import { SAMPLE_RATE } from '../../worker/audio/wav.ts';

/** Sounds that are no speech, the same ones every time. */
export const NOISES = {
  white: () => scaled(0.3, whiteNoise()),
  pink: () => scaled(0.08, pinkNoise()),
  'faint pink': () => scaled(0.005, pinkNoise()),
  tone: () => (t: number) => 0.3 * sine(440, t),
  hum: () => (t: number) => 0.2 * sine(50, t) + 0.1 * sine(100, t) + 0.05 * sine(150, t),
  chords: () => chord,
  melody: () => pluck,
} as const satisfies Record<string, () => (seconds: number) => number>;
export type NoiseName = keyof typeof NOISES;

/** 16 kHz mono, signed 16 bit. */
export function noise(name: NoiseName, seconds: number): Int16Array {
  const sound = NOISES[name]();
  return Int16Array.from({ length: seconds * SAMPLE_RATE }, (_, at) => {
    return Math.round(Math.max(-1, Math.min(1, sound(at / SAMPLE_RATE))) * 32_767);
  });
}

/** Both at once; `ratioDb` is how much louder the first is on average. */
export function mixed(first: Int16Array, second: Int16Array, ratioDb: number): Int16Array {
  const gain = meanLevel(first) / meanLevel(second) / 10 ** (ratioDb / 20);
  return first.map((sample, at) => {
    const sum = 0.5 * (sample + gain * (second[at % second.length] ?? 0));
    return Math.max(-32_768, Math.min(32_767, Math.round(sum)));
  });
}

function meanLevel(samples: Int16Array): number {
  let energy = 0;
  for (const sample of samples) energy += sample ** 2;
  return Math.sqrt(energy / samples.length);
}

const sine = (hz: number, seconds: number): number => Math.sin(2 * Math.PI * hz * seconds);
const scaled = (gain: number, next: () => number) => () => gain * next();

function whiteNoise(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x4000_0000 - 1;
  };
}

/** Source: P. Kellet, "pk3" filter for pink noise from white. */
function pinkNoise(): () => number {
  const white = whiteNoise();
  const poles = [0.998_86, 0.993_32, 0.969, 0.866_5, 0.55, -0.761_6];
  const gains = [0.055_517_9, 0.075_075_9, 0.153_852, 0.310_485_6, 0.532_952_2, -0.016_898];
  const state = poles.map(() => 0);
  return () => {
    const next = white();
    for (const [at, pole] of poles.entries()) state[at] = pole * (state[at] ?? 0) + next * (gains[at] ?? 0);
    return state.reduce((sum, value) => sum + value, next * 0.5362);
  };
}

const SCALE_HZ = [262, 294, 330, 349, 392, 440, 494, 523];

function pluck(seconds: number): number {
  const at = Math.floor(seconds / 0.4);
  const since = seconds - at * 0.4;
  const hz = SCALE_HZ[(at * 5 + 3) % 8] ?? 262;
  const partials = [1, 2, 3, 4, 5].reduce((sum, n) => sum + sine(hz * n, seconds) / n, 0);
  return 0.25 * Math.exp(-4 * since) * Math.min(1, since / 0.01) * partials;
}

function chord(seconds: number): number {
  const at = Math.floor(seconds / 1.6);
  const notes = [0, 2, 4].map((step) => (SCALE_HZ[(at * 3 + step) % 8] ?? 262) / 2);
  return notes.reduce(
    (sum, hz) => sum + [1, 2, 3, 4].reduce((tone, n) => tone + sine(hz * n, seconds) / n ** 2, 0) * 0.12,
    0,
  );
}
