import { once } from 'node:events';
import WebSocket from 'ws';

interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

/** One side of a graphql-transport-ws conversation, message by message. */
export class TransportDialogue {
  readonly socket: WebSocket;
  readonly #received: Message[] = [];
  #wake: () => void = () => {};
  /** Resolves with the close code. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;

  constructor(url: string, options: WebSocket.ClientOptions = {}, protocol = 'graphql-transport-ws') {
    this.socket = new WebSocket(url, protocol, options);
    this.socket.on('message', (data) => {
      this.#received.push(JSON.parse(String(data)));
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    // A test that expects a refusal waits for `closed`.
    this.socket.on('error', () => {});
  }

  static async open(url: string): Promise<TransportDialogue> {
    const dialogue = new TransportDialogue(url);
    await once(dialogue.socket, 'open');
    dialogue.say({ type: 'connection_init' });
    await dialogue.hear('connection_ack');
    return dialogue;
  }

  say(message: Message): void {
    this.socket.send(JSON.stringify(message));
  }

  subscribe(id: string, query: string, variables: Record<string, unknown> = {}): void {
    this.say({ type: 'subscribe', id, payload: { query, variables } });
  }

  /** The next message of this type, and of this operation when `id` is given; others stay. */
  async hear(type: string, id?: string): Promise<Message & { readonly payload: never }> {
    const deadline = AbortSignal.timeout(10_000);
    for (;;) {
      const index = this.#received.findIndex(
        (message) => message.type === type && (id === undefined || message.id === id),
      );
      const [message] = index < 0 ? [] : this.#received.splice(index, 1);
      if (message !== undefined) return message as Message & { readonly payload: never };
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        deadline.addEventListener('abort', () =>
          reject(new Error(`No ${type}; heard ${JSON.stringify(this.#received)}`)),
        );
      });
    }
  }
}
