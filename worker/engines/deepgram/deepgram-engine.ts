import { Readable } from 'node:stream';
import { ConfigError, type WorkerConfig } from '../../../src/config/config.ts';
import type { Logger } from '../../../src/observability/logger.ts';
import { type BreakerState, CircuitOpenError, ServiceBreaker, type Verdict } from '../circuit-breaker.ts';
import {
  type AudioSource,
  EngineError,
  type EngineModel,
  type EngineReport,
  type EngineResult,
  type SourceEngine,
} from '../engine.ts';
import { ListenClient, type ListenInput, type ListenReply } from './deepgram-client.ts';
import { circuitOpen, NOT_PUBLIC_CODE } from './deepgram-failure.ts';
import {
  answerTimeoutMs,
  CLOUD_MODELS,
  listenQuery,
  modelFor,
  uploadContentType,
} from './deepgram-request.ts';
import { durationMsOf, resultOf, segmentsOf } from './deepgram-response.ts';

export interface DeepgramTuning {
  readonly failureThreshold: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
  /** How long to take no job after a 429 without a Retry-After. */
  readonly pauseMs: number;
  /** Whether Deepgram fetches public URLs itself. */
  readonly fetchesUrls: boolean;
  readonly answerTimeoutMs: (sizeBytes: number | null) => number;
}

/** Segments of one report; few, so that a long result becomes many messages. */
const SEGMENTS_PER_REPORT = 50;

/**
 * Deepgram as an engine: it gets the URL where it can fetch it, else a stream, never the whole recording in memory. A
 * self-hosted Deepgram (DEEPGRAM_BASE_URL) always gets the stream: it is in the operator's own network, where nothing may
 * follow a user's URL without our guards.
 *
 * @throws ConfigError without DEEPGRAM_API_KEY.
 */
export async function createDeepgramEngine(
  config: WorkerConfig,
  log: Logger,
  tuning: Partial<DeepgramTuning> = {},
): Promise<DeepgramEngine> {
  if (config.DEEPGRAM_API_KEY === undefined) {
    throw new ConfigError(
      "DEEPGRAM_API_KEY is not set. Create a key for your project in Deepgram's console and set it for this worker only.",
    );
  }
  const client = new ListenClient({ apiKey: config.DEEPGRAM_API_KEY, baseUrl: config.DEEPGRAM_BASE_URL });
  return new DeepgramEngine(config, log, client, {
    failureThreshold: config.DEEPGRAM_BREAKER_FAILURES,
    openMs: config.DEEPGRAM_BREAKER_SECONDS * 1000,
    maxOpenMs: 10 * 60_000,
    pauseMs: 5000,
    fetchesUrls: config.DEEPGRAM_BASE_URL === undefined,
    answerTimeoutMs,
    ...tuning,
  });
}

export class DeepgramEngine implements SourceEngine {
  readonly engine = 'DEEPGRAM';
  readonly input = 'source';
  readonly device = 'cloud';
  readonly maxConcurrency: number;
  readonly #config: WorkerConfig;
  readonly #client: ListenClient;
  readonly #tuning: DeepgramTuning;
  readonly #breaker: ServiceBreaker;

  constructor(config: WorkerConfig, log: Logger, client: ListenClient, tuning: DeepgramTuning) {
    this.maxConcurrency = config.DEEPGRAM_CONCURRENCY;
    this.#config = config;
    this.#client = client;
    this.#tuning = tuning;
    this.#breaker = new ServiceBreaker({
      ...tuning,
      concurrency: config.DEEPGRAM_CONCURRENCY,
      judge,
      onChange: (state) => log.warn({ breaker: state }, 'circuit breaker of Deepgram changed'),
    });
  }

  get available(): boolean {
    return this.#breaker.available;
  }

  get breakerState(): BreakerState {
    return this.#breaker.state;
  }

  async models(): Promise<readonly EngineModel[]> {
    const ours = this.#config.DEEPGRAM_MODEL;
    const others = this.#config.DEEPGRAM_BASE_URL === undefined ? CLOUD_MODELS : [];
    const names = [ours, ...others.filter((name) => name !== ours)];
    return names.map((name) => ({ name, languages: [], isDefault: name === ours }));
  }

  async transcribe(source: AudioSource, report: EngineReport, signal: AbortSignal): Promise<EngineResult> {
    signal.throwIfAborted();
    const model = modelFor(source.options, this.#config.DEEPGRAM_MODEL);
    report.indeterminate(true);
    const { answer, requestId } = await this.#guarded(() => this.#listen(source, model, signal), signal);
    const durationMs = durationMsOf(answer);
    report.indeterminate(false);
    report.audio({ durationMs, channels: answer.metadata.channels, requestId });
    const wordsWanted = source.options.timestamps === 'WORD';
    const segments = segmentsOf(answer, { words: wordsWanted, resumeMs: source.resumeMs });
    for (let from = 0; from < segments.length; from += SEGMENTS_PER_REPORT) {
      report.segments(segments.slice(from, from + SEGMENTS_PER_REPORT));
    }
    report.progress(durationMs);
    return resultOf(answer, { language: source.language, model, requestId });
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #guarded(call: () => Promise<ListenReply>, signal: AbortSignal): Promise<ListenReply> {
    try {
      return await this.#breaker.run(call, signal);
    } catch (error) {
      if (error instanceof CircuitOpenError) {
        throw new EngineError(circuitOpen(error.retryAfterMs), { cause: error });
      }
      if (error instanceof EngineError && error.failure.kind === 'RATE_LIMITED') {
        this.#breaker.pause(error.failure.retryAfterMs ?? this.#tuning.pauseMs);
      }
      throw error;
    }
  }

  async #listen(source: AudioSource, model: string, signal: AbortSignal): Promise<ListenReply> {
    const query = listenQuery(source.options, source.language, model);
    const send = (input: ListenInput, sizeBytes: number | null) =>
      this.#client.listen(input, query, { timeoutMs: this.#tuning.answerTimeoutMs(sizeBytes), signal });
    if (source.kind === 'url' && this.#tuning.fetchesUrls) {
      try {
        return await send({ url: source.url }, source.sizeBytes);
      } catch (error) {
        // Refused before any work: our worker may reach the address and Deepgram may not.
        if (!(error instanceof EngineError) || error.failure.code !== NOT_PUBLIC_CODE) throw error;
      }
    }
    const opened = await source.open(signal);
    const sizeBytes = opened.sizeBytes ?? source.sizeBytes;
    const contentType = uploadContentType(opened.contentType ?? source.contentType);
    const stream = opened.stream instanceof Readable ? opened.stream : new Readable().wrap(opened.stream);
    return await send({ stream, contentType, sizeBytes }, sizeBytes);
  }
}

/** Which failures are Deepgram's, which are due to the worker's key, and which are neither. */
function judge(error: unknown): Verdict {
  if (!(error instanceof EngineError)) return 'unrelated';
  const { kind, code } = error.failure;
  if (kind === 'ENGINE_UNAVAILABLE' || kind === 'TIMEOUT') return 'fault';
  if (['DEEPGRAM_KEY_INVALID', 'DEEPGRAM_NO_CREDIT', 'DEEPGRAM_NOT_FOUND'].includes(code)) return 'hopeless';
  return 'unrelated';
}
