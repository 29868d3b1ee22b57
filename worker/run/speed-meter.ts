/** The share of the newest run in the average. */
const WEIGHT = 0.3;
/** A shorter run measures the engine's start, not its speed. */
const MIN_COMPUTE_MS = 200;

/** The speed of this worker's models: a moving average over its runs. */
export class SpeedMeter {
  readonly #rates = new Map<string, number>();
  #overall: number | null = null;

  record(model: string, audioMs: number, computeMs: number): void {
    if (computeMs < MIN_COMPUTE_MS || audioMs <= 0) return;
    const rate = audioMs / computeMs;
    this.#rates.set(model, blend(this.#rates.get(model) ?? null, rate));
    this.#overall = blend(this.#overall, rate);
  }

  /** Seconds of audio per second of wall clock; null before the model's first run. */
  rateOf(model: string): number | null {
    return this.#rates.get(model) ?? null;
  }

  get overall(): number | null {
    return this.#overall;
  }
}

function blend(before: number | null, now: number): number {
  return before === null ? now : before * (1 - WEIGHT) + now * WEIGHT;
}
