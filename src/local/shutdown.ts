/** npm passes on a Ctrl-C that the terminal has sent already; a person's second one comes later. */
const REPEAT_MS = 1_000;

/** Everything that was started, to be stopped in reverse order; a second Ctrl-C kills instead. */
export class Shutdown {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  readonly #asked = new AbortController();
  readonly #started: (() => Promise<void>)[] = [];
  #firstAt: number | null = null;

  constructor() {
    this.signal = this.#asked.signal;
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => this.#onSignal());
  }

  add(stop: () => Promise<void>): void {
    this.#started.push(stop);
  }

  /** Stops it all, also what comes after something that refuses; gives back the refusals. */
  async run(): Promise<readonly unknown[]> {
    const refusals: unknown[] = [];
    for (const stop of this.#started.toReversed()) {
      await stop().catch((error: unknown) => refusals.push(error));
    }
    return refusals;
  }

  #onSignal(): void {
    this.#firstAt ??= Date.now();
    if (Date.now() - this.#firstAt < REPEAT_MS) {
      this.#asked.abort();
      return;
    }
    process.exit(130);
  }
}
