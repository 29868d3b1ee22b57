import { setTimeout as delay } from 'node:timers/promises';

interface Answer {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: { readonly code?: string; readonly retryable?: boolean };
  }[];
}

const TRY_TIMEOUT_MS = 6000;
const PAUSE_MS = 250;

/** Tries one server, then the other, until one answers, as a careful client does. */
export class ApiClient {
  readonly #urls: readonly string[];
  readonly #onSurprise: (text: string) => void;
  readonly #giveUp: AbortSignal;
  /** Requests without an answer or with a retryable error. */
  retries = 0;

  constructor(urls: readonly string[], giveUp: AbortSignal, onSurprise: (text: string) => void) {
    this.#urls = urls;
    this.#giveUp = giveUp;
    this.#onSurprise = onSurprise;
  }

  /** @throws the signal's reason at the end of the run. */
  async ask<Data>(query: string, variables: object, firstServer: number): Promise<Data> {
    for (let attempt = firstServer; ; attempt += 1) {
      this.#giveUp.throwIfAborted();
      const url = this.#urls[attempt % this.#urls.length] ?? '';
      const answer = await this.#tryOnce(url, query, variables);
      if (answer !== null) return answer as Data;
      this.retries += 1;
      await delay(PAUSE_MS, undefined, { signal: this.#giveUp }).catch(() => undefined);
    }
  }

  /** Null when the request must be retried. */
  async #tryOnce(url: string, query: string, variables: object): Promise<Answer['data'] | null> {
    let answer: Answer;
    try {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { accept: 'application/graphql-response+json', 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
        signal: AbortSignal.timeout(TRY_TIMEOUT_MS),
      });
      answer = (await response.json()) as Answer;
    } catch {
      return null; // The server was killed or frozen: the request may or may not have had an effect.
    }
    const [error] = answer.errors ?? [];
    if (error === undefined) return answer.data ?? null;
    if (error.extensions?.retryable !== true) {
      this.#onSurprise(`the API answered ${error.extensions?.code}: ${error.message}`);
    }
    return null;
  }
}
