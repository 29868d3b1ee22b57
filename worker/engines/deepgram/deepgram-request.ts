import { type DeepgramClient, ListenV1Model } from '@deepgram/sdk';
import { DEFAULT_MODEL, type TranscriptionOptions } from '../../../src/domain/transcription-options.ts';

type Media = DeepgramClient['listen']['v1']['media'];
/** The query of `POST /v1/listen` as the SDK names it. */
export type ListenQuery = Parameters<Media['transcribeFile']>[1];

/** Longer than any answer takes: Deepgram itself gives up after 10 minutes (whisper models: 20). */
const LONGEST_ANSWER_MS = 25 * 60_000;
/** Speech codecs use at least 8 kbit/s, so 1,000 bytes hold at most a second of audio. */
const FEWEST_BYTES_PER_SECOND = 1000;
const LONGEST_TIMEOUT_MS = 24 * 3_600_000;

/** The models of Deepgram's own service; a custom model is listed when it is the worker's default. */
export const CLOUD_MODELS: readonly string[] = [
  ...Object.values(ListenV1Model).filter((name) => name !== ListenV1Model.Custom),
  ...['tiny', 'base', 'small', 'medium', 'large'].map((size) => `whisper-${size}`),
];

/** The model to request: the job's, or the worker's default. */
export function modelFor(options: TranscriptionOptions, defaultModel: string): string {
  return options.model === DEFAULT_MODEL ? defaultModel : options.model;
}

/**
 * The job's options as Deepgram's parameters. Options that Deepgram does not support were refused at submit
 * (src/domain/engine-capabilities.ts).
 * Source: developers.deepgram.com, API reference of `/v1/listen`, read November 2026.
 */
export function listenQuery(
  options: TranscriptionOptions,
  language: string | null,
  model: string,
): ListenQuery {
  return {
    model: model as NonNullable<ListenQuery['model']>,
    smart_format: true,
    punctuate: true,
    utterances: true,
    ...(language === null ? { detect_language: true } : { language }),
    ...(options.diarize ? { diarize: true } : {}),
    ...vocabularyQuery(options.vocabulary, model),
  };
}

/** nova-3 and later models take `keyterm`, earlier ones `keywords`. */
function vocabularyQuery(vocabulary: readonly string[], model: string): ListenQuery {
  if (vocabulary.length === 0) return {};
  const terms = [...vocabulary];
  const isOlder = CLOUD_MODELS.includes(model) && !model.startsWith('nova-3');
  return isOlder ? { keywords: terms } : { keyterm: terms };
}

/**
 * How long to wait for an answer: as long as the recording could possibly be, and never less than Deepgram's own limit.
 * A request that is abandoned too early is paid for and sent again.
 */
export function answerTimeoutMs(sizeBytes: number | null): number {
  if (sizeBytes === null) return LONGEST_TIMEOUT_MS;
  const longestAudioMs = (sizeBytes / FEWEST_BYTES_PER_SECOND) * 1000;
  return Math.min(LONGEST_TIMEOUT_MS, LONGEST_ANSWER_MS + longestAudioMs);
}

/** Never JSON, which Deepgram would read as a request to fetch a URL. */
export function uploadContentType(contentType: string | null): string {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  return /^(audio|video)\/[\w.+-]+$/.test(type) ? type : 'application/octet-stream';
}
