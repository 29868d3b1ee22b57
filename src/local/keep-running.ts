import { sleep, unlessAborted } from '../process/wait.ts';
import { LocalServiceError, type Running } from './local-service.ts';

export interface KeepOptions<Started extends Running> {
  /** For people, such as `Postgres` or `The worker`. */
  readonly name: string;
  /**
   * Resolves when it is ready. Aborting stops it and rejects. After a crash it gets what was started first, whose
   * address it should keep.
   */
  readonly start: (signal: AbortSignal, first?: Started) => Promise<Started>;
  readonly onNotice: (text: string) => void;
}

const MAX_CRASHES = 5;
/** What ran this long has recovered; earlier crashes no longer count. */
const STABLE_MS = 60_000;

/** Starts something, and starts it again when it ends, until it is stopped or keeps crashing. */
export class KeptRunning<Started extends Running> {
  /** What was started first; rejects when that fails. */
  readonly started: Promise<Started>;
  /** Resolves with the reason when it is given up, and with null when it was stopped. */
  readonly ended: Promise<unknown>;
  readonly #options: KeepOptions<Started>;
  readonly #stopping = new AbortController();

  constructor(options: KeepOptions<Started>) {
    this.#options = options;
    this.started = options.start(this.#stopping.signal);
    this.ended = this.started.then(
      (started) => this.#keepRunning(started),
      (error: unknown) => (this.#stopping.signal.aborted ? null : error),
    );
    // `stop` reports what goes wrong there.
    this.ended.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.ended;
  }

  async #keepRunning(first: Started): Promise<Error | null> {
    const { name, onNotice } = this.#options;
    const { signal } = this.#stopping;
    let how = await this.#untilEnd(first);
    for (let crashes = 1; !signal.aborted; crashes += 1) {
      if (crashes > MAX_CRASHES) {
        return new LocalServiceError(`${name} crashed ${crashes} times and is given up: ${how}`);
      }
      const waitMs = 500 * 2 ** crashes;
      onNotice(`${name} crashed and starts again in ${waitMs / 1000} s: ${how}`);
      await sleep(waitMs, signal);
      if (signal.aborted) break;
      const startedAt = Date.now();
      try {
        const started = await this.#options.start(signal, first);
        onNotice(`${name} is back.`);
        how = await this.#untilEnd(started);
      } catch (error) {
        how = error instanceof Error ? error.message : String(error);
      }
      if (Date.now() - startedAt > STABLE_MS) crashes = 0;
    }
    return null;
  }

  async #untilEnd(running: Started): Promise<string> {
    const how = await unlessAborted(running.exited, this.#stopping.signal).catch(() => 'stopped');
    await running.stop();
    return how;
  }
}
