/** The share that the newest job has in the average. */
const WEIGHT = 0.3;
/** Shorter runs measure the start-up, not the engine. */
const MIN_COMPUTE_MS = 200;

/** How fast this worker's models are, as an average that follows the last jobs. */
export class SpeedMeter {
  readonly #rates = new Map<string, number>();
  #overall: number | null = null;

  record(model: string, audioMs: number, computeMs: number): void {
    if (computeMs < MIN_COMPUTE_MS || audioMs <= 0) return;
    const rate = audioMs / computeMs;
    this.#rates.set(model, blend(this.#rates.get(model) ?? null, rate));
    this.#overall = blend(this.#overall, rate);
  }

  /** Audio seconds a second of wall clock; null before the first job of the model. */
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
