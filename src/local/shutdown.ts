/** npm forwards a Ctrl-C that the terminal has sent already; that of a user who presses it again comes later. */
const REPEAT_MS = 1_000;

/** Stops everything that was started, in reverse order; at a second Ctrl-C, the process exits at once. */
export class Shutdown {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  readonly #stopping = new AbortController();
  readonly #started: (() => Promise<void>)[] = [];
  #firstAt: number | null = null;

  constructor() {
    this.signal = this.#stopping.signal;
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => this.#onSignal());
  }

  add(stop: () => Promise<void>): void {
    this.#started.push(stop);
  }

  /** Stops everything, whatever fails, and returns the errors. */
  async run(): Promise<readonly unknown[]> {
    const errors: unknown[] = [];
    for (const stop of this.#started.toReversed()) {
      await stop().catch((error: unknown) => errors.push(error));
    }
    return errors;
  }

  #onSignal(): void {
    this.#firstAt ??= Date.now();
    if (Date.now() - this.#firstAt < REPEAT_MS) {
      this.#stopping.abort();
      return;
    }
    process.exit(130);
  }
}
