import { decode, encode } from '../../src/contract/codec.ts';
import { EventMessage, type ProgressMessage } from '../../src/contract/messages.ts';
import { eventSubject } from '../../src/contract/subjects.ts';
import type { NatsConnection } from '../../src/messaging/connection.ts';

interface Stored {
  readonly subject: string;
  readonly sequence: number;
  readonly bytes: Uint8Array;
  readonly messageId: string;
}

interface Message {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply?: string;
  readonly headers?: { readonly code: number };
}

interface Subscriber {
  readonly pattern: readonly string[];
  readonly deliver: (message: Message) => void;
}

/** What becomes of a request: JetStream answers it, its answer is lost, or it is lost itself. */
type Fate = 'answered' | 'unanswered' | 'lost';

/**
 * A NATS connection to a JetStream of a few lines: the chain, control messages, progress and pulls as one worker uses
 * them. A test decides about each fault.
 */
export class FakeNats {
  readonly nc: NatsConnection;
  readonly stored: Stored[] = [];
  /** What was published without a request, such as progress, wakes and acknowledgements. */
  readonly published: { readonly subject: string; readonly text: string }[] = [];
  /** Subjects of all requests, in order. */
  readonly requests: string[] = [];
  /** `+ACK`, `+WPI` and `-NAK`, as the worker sent them. */
  readonly acknowledgements: string[] = [];
  /** As nats-server 2.9 does it; newer servers check the expected sequence first. */
  duplicatesFirst = true;
  fateOf: (subject: string) => Fate = () => 'answered';
  /** Error codes with which JetStream refuses the next publications. */
  readonly refusals: number[] = [];
  /** What a pull from a lane gets: a task's bytes, `empty`, or no answer. */
  onPull: (lane: string) => Uint8Array | 'empty' | 'silent' = () => 'empty';
  isClosed = false;
  /** Where pulls asked for their answers, in order. */
  readonly inboxes: string[] = [];
  readonly #subscribers = new Set<Subscriber>();

  constructor() {
    const connection = {
      options: { inboxPrefix: '_INBOX' },
      isClosed: () => this.isClosed,
      isDraining: () => false,
      reconnect: async () => void this.requests.push('reconnect'),
      publish: (subject: string, payload: Uint8Array | string = '', options: { reply?: string } = {}) =>
        this.#publish(subject, bytesOf(payload), options.reply),
      subscribe: (subject: string, options: { callback?: (error: null, message: Message) => void }) =>
        this.#subscribe(subject, options.callback),
      request: (
        subject: string,
        payload: Uint8Array | string,
        options: { headers?: { get(name: string): string } },
      ) => this.#request(subject, bytesOf(payload), options.headers),
    };
    // The few members of a connection that the worker and the JetStream library use.
    this.nc = connection as unknown as NatsConnection;
  }

  /** The job's events, in order. */
  eventsOf(jobId: string): readonly EventMessage[] {
    return this.stored
      .filter(({ subject }) => subject === eventSubject(jobId))
      .map(({ bytes }) => decode(EventMessage, bytes));
  }

  /** All progress, in order. */
  get progress(): readonly ProgressMessage[] {
    return this.published
      .filter(({ subject }) => subject.startsWith('transcribe.progress.'))
      .map(({ text }): ProgressMessage => JSON.parse(text));
  }

  /** Stores a message as another writer would; gives its sequence. */
  store(subject: string, message: object, messageId = ''): number {
    const sequence = this.stored.length + 1;
    const bytes = encode(message);
    this.stored.push({ subject, sequence, bytes, messageId });
    this.deliver(liveCopyOf(subject), bytes);
    return sequence;
  }

  deliver(subject: string, data: Uint8Array, rest: Partial<Message> = {}): void {
    for (const { pattern, deliver } of [...this.#subscribers]) {
      if (matches(pattern, subject.split('.'))) deliver({ subject, data, ...rest });
    }
  }

  get subscriptions(): number {
    return this.#subscribers.size;
  }

  #publish(subject: string, data: Uint8Array, reply: string | undefined): void {
    this.published.push({ subject, text: textOf(data) });
    if (!subject.startsWith('$JS.API.CONSUMER.MSG.NEXT.') || reply === undefined) {
      this.deliver(subject, data);
      if (subject.startsWith('transcribe.progress.')) this.deliver(liveCopyOf(subject), data);
      return;
    }
    this.inboxes.push(reply);
    const lane = subject.slice(subject.lastIndexOf('.') + 1);
    const answer = this.onPull(lane);
    if (answer === 'silent') return;
    if (answer === 'empty') this.deliver(reply, new Uint8Array(), { headers: { code: 404 } });
    else this.deliver(reply, answer, { reply: `$JS.ACK.TASKS.${lane}.1.7.1.0.0` });
  }

  #subscribe(subject: string, callback: ((error: null, message: Message) => void) | undefined) {
    const waiting: Message[] = [];
    let wake = () => {};
    let isOver = false;
    const subscriber: Subscriber = {
      pattern: subject.split('.'),
      deliver: (message) => {
        if (callback !== undefined) return callback(null, message);
        waiting.push(message);
        wake();
      },
    };
    this.#subscribers.add(subscriber);
    const end = () => {
      isOver = true;
      this.#subscribers.delete(subscriber);
      wake();
    };
    return {
      getSubject: () => subject,
      unsubscribe: end,
      async *[Symbol.asyncIterator]() {
        try {
          for (;;) {
            const message = waiting.shift();
            if (message !== undefined) yield message;
            else if (isOver) return;
            else await new Promise<void>((resolve) => (wake = resolve));
          }
        } finally {
          end();
        }
      },
    };
  }

  async #request(subject: string, bytes: Uint8Array, headers: { get(name: string): string } | undefined) {
    this.requests.push(subject);
    const fate = this.fateOf(subject);
    await null;
    const answer = fate === 'lost' ? {} : this.#answer(subject, bytes, headers);
    if (fate !== 'answered') throw new Error('timeout');
    return { data: encode(answer) };
  }

  #answer(subject: string, bytes: Uint8Array, headers: { get(name: string): string } | undefined): object {
    if (subject.startsWith('$JS.ACK.')) {
      this.acknowledgements.push(textOf(bytes));
      return {};
    }
    if (subject.startsWith('$JS.API.STREAM.MSG.GET.')) return this.#read(JSON.parse(textOf(bytes)));
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return failure(400, refusal);
    const messageId = headers?.get('Nats-Msg-Id') ?? '';
    const expected = headers?.get('Nats-Expected-Last-Subject-Sequence') ?? '';
    const end = this.stored.findLast((stored) => stored.subject === subject)?.sequence ?? 0;
    const isExpected = expected === '' || Number(expected) === end;
    const first = this.stored.find((stored) => messageId !== '' && stored.messageId === messageId);
    if (first !== undefined && (this.duplicatesFirst || isExpected)) {
      return { stream: 'EVENTS', seq: first.sequence, duplicate: true };
    }
    if (!isExpected) return failure(400, 10_071);
    return { stream: 'EVENTS', seq: this.store(subject, JSON.parse(textOf(bytes)), messageId) };
  }

  #read(query: { readonly last_by_subj: string }): object {
    const found = this.stored.findLast(({ subject }) => subject === query.last_by_subj);
    if (found === undefined) return failure(404, 10_037);
    const { subject, sequence: seq, bytes, messageId } = found;
    const hdrs = base64(`NATS/1.0\r\nNats-Msg-Id: ${messageId}\r\n\r\n`);
    return { message: { subject, seq, hdrs, data: base64(bytes), time: '2026-01-02T12:00:00Z' } };
  }
}

/** Where JetStream republishes a stored message. */
const liveCopyOf = (subject: string): string => subject.replace('transcribe.', 'transcribe.live.');
const failure = (code: number, err_code: number) => ({ error: { code, err_code, description: 'refused' } });
const bytesOf = (payload: Uint8Array | string): Uint8Array => Buffer.from(payload as string);
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const base64 = (payload: Uint8Array | string): string => Buffer.from(payload as string).toString('base64');

function matches(pattern: readonly string[], subject: readonly string[]): boolean {
  return (
    pattern.length === subject.length && pattern.every((token, at) => token === '*' || token === subject[at])
  );
}
