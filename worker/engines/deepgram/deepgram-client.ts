import type { Readable } from 'node:stream';
import { DeepgramClient, DeepgramError } from '@deepgram/sdk';
import { Agent, fetch as undiciFetch } from 'undici';
import { EngineError } from '../engine.ts';
import { failureOf, tooSlow, unreachable, unreadableAnswer } from './deepgram-failure.ts';
import type { ListenQuery } from './deepgram-request.ts';
import { ListenAnswer } from './deepgram-response.ts';

type Media = DeepgramClient['listen']['v1']['media'];

/** A URL for Deepgram to fetch, or the recording itself. */
export type ListenInput =
  | { readonly url: string }
  | { readonly stream: Readable; readonly contentType: string; readonly sizeBytes: number | null };

export interface ListenReply {
  readonly answer: ListenAnswer;
  readonly requestId: string | null;
}

/** The SDK's timeout ends with the headers, and its error looks like others: ours is used instead. */
const NEVER_SECONDS = 2 ** 31 / 1000 - 1;

/**
 * Calls `POST /v1/listen` through the SDK without three things that a worker cannot use: its retries (a stream cannot be
 * sent twice, and users see our retries), its timeout, and the five minutes after which Node's fetch gives up.
 */
export class ListenClient {
  readonly #apiKey: string;
  readonly #baseUrl: string | undefined;
  readonly #agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

  constructor(options: { readonly apiKey: string; readonly baseUrl: string | undefined }) {
    this.#apiKey = options.apiKey;
    this.#baseUrl = options.baseUrl;
  }

  /**
   * @param options.timeoutMs For the whole call, upload included.
   * @throws EngineError; the signal's reason.
   */
  async listen(
    input: ListenInput,
    query: ListenQuery,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<ListenReply> {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), options.timeoutMs);
    const abortSignal = AbortSignal.any([options.signal, timeout.signal]);
    let broken: unknown = null;
    const media = this.#media((error) => {
      broken = error;
    });
    try {
      const { data, rawResponse } = await send(media, input, query, abortSignal);
      return readReply(data, rawResponse.headers.get('dg-request-id'));
    } catch (error) {
      options.signal.throwIfAborted();
      const cause = broken ?? error;
      if (timeout.signal.aborted) throw new EngineError(tooSlow(options.timeoutMs), { cause });
      throw toEngineError(cause);
    } finally {
      clearTimeout(timer);
      if ('stream' in input) input.stream.destroy();
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /**
   * A client for one call. Its fetch never rejects, since the SDK would then keep its timer, which holds the process for
   * weeks.
   *
   * @param onBroken Called with the error instead.
   */
  #media(onBroken: (error: unknown) => void): Media {
    const dispatcher = this.#agent;
    const client = new DeepgramClient({
      apiKey: this.#apiKey,
      maxRetries: 0,
      timeoutInSeconds: NEVER_SECONDS,
      // Not Node's fetch, which belongs to an older undici than the agent.
      fetch: ((input: string, init: object) =>
        undiciFetch(input, { ...init, dispatcher }).catch((error: unknown) => {
          onBroken(error);
          return new Response(null, { status: 503 });
        })) as typeof fetch,
      ...(this.#baseUrl === undefined ? {} : { baseUrl: this.#baseUrl }),
    });
    return client.listen.v1.media;
  }
}

function send(media: Media, input: ListenInput, query: ListenQuery, abortSignal: AbortSignal) {
  const requestOptions = { maxRetries: 0, abortSignal };
  if ('url' in input) {
    return media.transcribeUrl({ ...query, url: input.url }, requestOptions).withRawResponse();
  }
  const upload = {
    data: input.stream,
    contentType: input.contentType,
    ...(input.sizeBytes === null ? {} : { contentLength: input.sizeBytes }),
  };
  return media.transcribeFile(upload, query, requestOptions).withRawResponse();
}

function readReply(data: unknown, requestId: string | null): ListenReply {
  const parsed = ListenAnswer.safeParse(data);
  if (parsed.success) return { answer: parsed.data, requestId };
  const issue = parsed.error.issues[0];
  const reason = `${issue?.path.join('.') || '(root)'}: ${issue?.message}`;
  throw new EngineError(unreadableAnswer(reason), { requestId });
}

function toEngineError(error: unknown): EngineError {
  for (const cause of causesOf(error)) if (cause instanceof EngineError) return cause;
  if (error instanceof DeepgramError && error.statusCode !== undefined) {
    const headers = error.rawResponse?.headers;
    const failure = failureOf(
      { status: error.statusCode, body: error.body, retryAfter: headers?.get('retry-after') ?? null },
      new Date(),
    );
    return new EngineError(failure, { cause: error, requestId: headers?.get('dg-request-id') ?? null });
  }
  const reasons = [...causesOf(error)].map((cause) => `${cause.name}: ${cause.message}`);
  const isShort = [...causesOf(error)].some(
    (cause) => codeOf(cause) === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  );
  if (isShort) {
    return new EngineError(
      {
        kind: 'FETCH',
        code: 'FETCH_TRUNCATED',
        message: 'The recording ended before the length that its server announced.',
        retryable: true,
      },
      { cause: error },
    );
  }
  return new EngineError(unreachable(reasons.join(' < ')), { cause: error });
}

function* causesOf(error: unknown): Generator<Error> {
  for (let cause = error; cause instanceof Error; cause = cause.cause) yield cause;
}

const codeOf = (error: Error): unknown => ('code' in error ? error.code : undefined);
