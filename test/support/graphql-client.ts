import type { ExecutionResult } from 'graphql';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWebSocketClient } from 'graphql-ws';
import WebSocket from 'ws';

export type Variables = Readonly<Record<string, unknown>>;
export type Transport = 'websocket' | 'sse';

/** An answer as it came, for tests that want to be refused. */
export interface Answer<Data> {
  readonly status: number;
  readonly data: Data | null | undefined;
  readonly errors: readonly {
    readonly message: string;
    readonly extensions?: Readonly<Record<string, unknown>>;
  }[];
}

const REQUEST_TIMEOUT_MS = 30_000;

/** A client of a running server, as a stranger would write it. */
export class GraphQLClient {
  readonly #url: string;
  readonly #closing: (() => void | Promise<void>)[] = [];

  constructor(serverUrl: string) {
    this.#url = `${serverUrl}/graphql`;
  }

  /** Posts and gives what came back, errors included. */
  async post<Data>(query: string, variables: Variables = {}): Promise<Answer<Data>> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const { data, errors = [] } = (await response.json()) as Partial<Answer<Data>>;
    return { status: response.status, data, errors };
  }

  /** The data. @throws Error when there is any error. */
  async request<Data>(query: string, variables: Variables = {}): Promise<Data> {
    const { status, data, errors } = await this.post<Data>(query, variables);
    if (!data || errors.length > 0) throw new Error(`answered ${status}: ${JSON.stringify(errors)}`);
    return data;
  }

  /** Events of a subscription on a connection of its own, which ends with the iteration. @throws Error for errors. */
  async *subscribe<Data>(
    query: string,
    variables: Variables = {},
    transport: Transport = 'websocket',
  ): AsyncGenerator<Data, void, void> {
    const client = transport === 'websocket' ? this.#openWebSocket() : this.#openSse();
    const dispose = (): void => void client.dispose();
    this.#closing.push(dispose);
    const payload = { query, variables: { ...variables } };
    try {
      // Both clients give the same; only their declared types differ.
      const results = client.iterate(payload) as AsyncIterable<ExecutionResult<Data, unknown>>;
      for await (const { data, errors } of results) {
        if (!data) throw new Error(`the subscription failed: ${JSON.stringify(errors)}`);
        yield data;
      }
    } finally {
      dispose();
      this.#closing.splice(this.#closing.indexOf(dispose), 1);
    }
  }

  /** Ends every subscription that is left. */
  close(): void {
    for (const close of this.#closing.splice(0)) void close();
  }

  #openWebSocket() {
    const url = this.#url.replace(/^http/, 'ws');
    return createWebSocketClient({ url, webSocketImpl: WebSocket, retryAttempts: 0 });
  }

  #openSse() {
    return createSseClient({ url: this.#url, retryAttempts: 0 });
  }
}
