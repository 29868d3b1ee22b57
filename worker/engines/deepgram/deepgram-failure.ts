import { z } from 'zod';
import { firstChars } from '../../../src/domain/cut-text.ts';
import type { Failure } from '../../../src/domain/vocabulary.ts';

/** An answer without a transcript. */
export interface RefusedAnswer {
  readonly status: number;
  /** Parsed JSON, or the text of an answer that is not JSON. */
  readonly body: unknown;
  /** The `Retry-After` header, unparsed. */
  readonly retryAfter: string | null;
}

/** Documented in two shapes: `err_code` and `err_msg`; `category`, `message` and `details`. */
const ErrorBody = z.object({
  err_code: z.string().optional(),
  error_code: z.string().optional(),
  err_msg: z.string().optional(),
  category: z.string().optional(),
  message: z.string().optional(),
  details: z.string().optional(),
});

const MAX_RETRY_AFTER_MS = 24 * 3_600_000;
const MAX_DETAIL_CHARACTERS = 1000;

type Rule = Pick<Failure, 'kind' | 'code' | 'message' | 'retryable'>;

const permanent = (kind: Failure['kind'], code: string, message: string): Rule => ({
  kind,
  code,
  message,
  retryable: false,
});
const transient = (kind: Failure['kind'], code: string, message: string): Rule => ({
  kind,
  code,
  message,
  retryable: true,
});

/**
 * The failure that an unsuccessful answer means (docs/engines.md has the table).
 * Source of the answers: developers.deepgram.com/docs/errors, read November 2026.
 */
export function failureOf(answer: RefusedAnswer, now: Date): Failure {
  const { code, message } = describeBody(answer.body);
  const rule = ruleFor(answer.status, code, message);
  const retryAfterMs = rule.retryable ? parseRetryAfterMs(answer.retryAfter, now) : null;
  const detail = firstChars(`HTTP ${answer.status} ${code} ${message}`, MAX_DETAIL_CHARACTERS).trim();
  return { ...rule, ...(retryAfterMs === null ? {} : { retryAfterMs }), detail };
}

/** `Retry-After` as delay: seconds or an HTTP date (RFC 9110, 10.2.3); null when absent or malformed. */
export function parseRetryAfterMs(value: string | null, now: Date): number | null {
  if (value === null || value.trim() === '') return null;
  const seconds = /^\s*\d+\s*$/.test(value) ? Number(value) : Number.NaN;
  const delayMs = Number.isNaN(seconds) ? Date.parse(value) - now.getTime() : seconds * 1000;
  if (Number.isNaN(delayMs)) return null;
  return Math.min(MAX_RETRY_AFTER_MS, Math.max(0, delayMs));
}

/** No connection, or one that broke before the answer was complete. */
export function unreachable(reason: string): Failure {
  return {
    ...transient('ENGINE_UNAVAILABLE', 'DEEPGRAM_UNREACHABLE', 'The worker cannot reach Deepgram.'),
    detail: firstChars(reason, MAX_DETAIL_CHARACTERS),
  };
}

/** A success by its status, without a transcript in it. */
export function unreadableAnswer(reason: string): Failure {
  return {
    ...transient(
      'ENGINE_UNAVAILABLE',
      'DEEPGRAM_ANSWER_INVALID',
      'The answer of Deepgram is not a transcript.',
    ),
    detail: firstChars(reason, MAX_DETAIL_CHARACTERS),
  };
}

export function tooSlow(timeoutMs: number): Failure {
  const minutes = Math.round(timeoutMs / 60_000);
  return transient('TIMEOUT', 'DEEPGRAM_TIMEOUT', `Deepgram did not answer within ${minutes} minutes.`);
}

export function circuitOpen(retryAfterMs: number): Failure {
  return {
    ...transient(
      'ENGINE_UNAVAILABLE',
      'DEEPGRAM_CIRCUIT_OPEN',
      'Deepgram failed repeatedly; the next attempt is made after a pause.',
    ),
    retryAfterMs,
  };
}

function describeBody(body: unknown): { code: string; message: string } {
  const parsed = ErrorBody.safeParse(body);
  if (!parsed.success) return { code: '', message: typeof body === 'string' ? body : '' };
  const { err_code, error_code, err_msg, category, message, details } = parsed.data;
  return {
    code: err_code ?? error_code ?? category ?? '',
    message: err_msg ?? [message, details].filter((part) => part !== undefined).join(' '),
  };
}

function ruleFor(status: number, code: string, message: string): Rule {
  switch (status) {
    case 400:
      return ruleForBadRequest(code, message);
    case 401:
      if (/PERMISSION/i.test(code)) return FORBIDDEN;
      return permanent(
        'ENGINE_REJECTED',
        'DEEPGRAM_KEY_INVALID',
        'Deepgram refused the API key; the operator of the worker must set a valid DEEPGRAM_API_KEY.',
      );
    case 402:
      return permanent(
        'ENGINE_REJECTED',
        'DEEPGRAM_NO_CREDIT',
        "The Deepgram project has no credit left; its owner must add credit in Deepgram's console.",
      );
    case 403:
      return FORBIDDEN;
    case 404:
      if (/model/i.test(message)) return MODEL_UNKNOWN;
      return permanent(
        'ENGINE_REJECTED',
        'DEEPGRAM_NOT_FOUND',
        'There is no Deepgram at the address; the operator of the worker must correct DEEPGRAM_BASE_URL.',
      );
    case 413:
      return permanent(
        'AUDIO',
        'AUDIO_TOO_LARGE',
        'The recording is larger than the 2 GB that Deepgram accepts.',
      );
    case 415:
      return UNREADABLE;
    case 408:
    case 422:
      return transient(
        'ENGINE_UNAVAILABLE',
        'DEEPGRAM_UPLOAD_INTERRUPTED',
        'The recording did not reach Deepgram completely or in time.',
      );
    case 429:
      return transient(
        'RATE_LIMITED',
        'DEEPGRAM_RATE_LIMITED',
        'Too many concurrent requests to Deepgram with this API key.',
      );
    case 504:
      return transient('TIMEOUT', 'DEEPGRAM_TIMEOUT', 'Deepgram exceeded its own time limit.');
    default:
      if (status >= 500) {
        return transient(
          'ENGINE_UNAVAILABLE',
          'DEEPGRAM_UNAVAILABLE',
          'Deepgram is temporarily unavailable.',
        );
      }
      return REQUEST_REJECTED;
  }
}

const FORBIDDEN = permanent(
  'ENGINE_REJECTED',
  'DEEPGRAM_FORBIDDEN',
  'The plan of the Deepgram project does not include this model or feature; choose another model or extend the plan.',
);
const MODEL_UNKNOWN = permanent(
  'UNSUPPORTED',
  'MODEL_UNKNOWN',
  'Deepgram does not have this model for this language; choose another model or omit it.',
);
const UNREADABLE = permanent(
  'AUDIO',
  'AUDIO_UNREADABLE',
  'Invalid or unsupported audio: Deepgram cannot decode the recording.',
);
const REQUEST_REJECTED = permanent(
  'ENGINE_REJECTED',
  'DEEPGRAM_REQUEST_REJECTED',
  'Deepgram refused the request; the detail says why.',
);
/** Deepgram may not fetch from that address: the engine sends the recording itself. */
export const NOT_PUBLIC_CODE = 'FETCH_BLOCKED_ADDRESS';

function ruleForBadRequest(code: string, message: string): Rule {
  if (/publicly routable/i.test(message)) {
    return permanent('FETCH', NOT_PUBLIC_CODE, "Deepgram cannot fetch from the recording's address.");
  }
  if (/REMOTE_CONTENT/i.test(code) || /remote server|redirect|could not parse url/i.test(message)) {
    return ruleForSource(message);
  }
  if (/process audio|corrupt|unsupported data/i.test(message)) return UNREADABLE;
  if (/no such model/i.test(message)) return MODEL_UNKNOWN;
  if (/keyterm|keyword/i.test(message)) {
    return permanent(
      'UNSUPPORTED',
      'VOCABULARY_UNSUPPORTED',
      `Deepgram refused the vocabulary: ${firstChars(message, 200)}`,
    );
  }
  if (/language/i.test(message)) {
    return permanent(
      'UNSUPPORTED',
      'LANGUAGE_UNSUPPORTED',
      `Deepgram refused the language: ${firstChars(message, 200)}`,
    );
  }
  return REQUEST_REJECTED;
}

/** Deepgram could not fetch the recording: the codes of a worker that cannot. */
function ruleForSource(message: string): Rule {
  const status = Number(/\b([1-5]\d\d)\b/.exec(message)?.[1] ?? 0);
  const text = `Deepgram could not fetch the recording from its URL: ${firstChars(message, 200)}`;
  if (status === 404 || status === 410) return permanent('FETCH', 'FETCH_NOT_FOUND', text);
  if (status === 401 || status === 403) return permanent('FETCH', 'FETCH_FORBIDDEN', text);
  if (status === 408) return transient('FETCH', 'FETCH_TIMEOUT', text);
  if (status === 425 || status === 429) return transient('FETCH', 'FETCH_RATE_LIMITED', text);
  if (status >= 500) return transient('FETCH', 'FETCH_SERVER_ERROR', text);
  return permanent('FETCH', 'FETCH_REFUSED', text);
}
