import { z } from 'zod';
import { firstChars } from '../../../src/domain/cut-text.ts';
import type { Failure } from '../../../src/domain/vocabulary.ts';

/** What came back instead of a transcript. */
export interface RefusedAnswer {
  readonly status: number;
  /** Parsed JSON, or the text of an answer that was none. */
  readonly body: unknown;
  /** The `Retry-After` header as it came. */
  readonly retryAfter: string | null;
}

/** Two shapes are documented: `err_code`/`err_msg`, and `category`/`message`/`details`. */
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
const passing = (kind: Failure['kind'], code: string, message: string): Rule => ({
  kind,
  code,
  message,
  retryable: true,
});

/**
 * The failure behind an answer that is no success.
 * Sources: developers.deepgram.com/docs/errors, read November 2026; what each one means for a job is
 * ours (docs/engines.md has the table).
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

/** The service could not be reached, or the connection broke before the answer was whole. */
export function unreachable(reason: string): Failure {
  return {
    ...passing('ENGINE_UNAVAILABLE', 'DEEPGRAM_UNREACHABLE', "Deepgram can't be reached from the worker."),
    detail: reason.slice(0, MAX_DETAIL_CHARACTERS),
  };
}

/** A success by its status, but not an answer we can read. */
export function unreadableAnswer(reason: string): Failure {
  return {
    ...passing(
      'ENGINE_UNAVAILABLE',
      'DEEPGRAM_ANSWER_INVALID',
      'Deepgram answered with something that is no transcript.',
    ),
    detail: reason.slice(0, MAX_DETAIL_CHARACTERS),
  };
}

export function tooSlow(timeoutMs: number): Failure {
  const minutes = Math.round(timeoutMs / 60_000);
  return passing(
    'TIMEOUT',
    'DEEPGRAM_TIMEOUT',
    `Deepgram did not answer within ${minutes} minutes, longer than the recording can last.`,
  );
}

export function circuitOpen(retryAfterMs: number): Failure {
  return {
    ...passing(
      'ENGINE_UNAVAILABLE',
      'DEEPGRAM_CIRCUIT_OPEN',
      'Deepgram failed repeatedly and is given a rest before the next attempt.',
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
        'Deepgram refused the API key; whoever runs the worker must set a valid DEEPGRAM_API_KEY.',
      );
    case 402:
      return permanent(
        'ENGINE_REJECTED',
        'DEEPGRAM_NO_CREDIT',
        "The Deepgram project has no credit left; whoever runs the worker must top it up in Deepgram's console.",
      );
    case 403:
      return FORBIDDEN;
    case 404:
      if (/model/i.test(message)) return MODEL_UNKNOWN;
      return permanent(
        'ENGINE_REJECTED',
        'DEEPGRAM_NOT_FOUND',
        'There is no Deepgram at the address; whoever runs the worker must correct DEEPGRAM_BASE_URL.',
      );
    case 413:
      return permanent('AUDIO', 'AUDIO_TOO_LARGE', 'The recording is larger than the 2 GB Deepgram takes.');
    case 415:
      return UNREADABLE;
    case 408:
    case 422:
      return passing(
        'ENGINE_UNAVAILABLE',
        'DEEPGRAM_UPLOAD_INTERRUPTED',
        'The recording did not reach Deepgram whole or in time.',
      );
    case 429:
      return passing('RATE_LIMITED', 'DEEPGRAM_RATE_LIMITED', 'Deepgram has too many requests of this key.');
    case 504:
      return passing('TIMEOUT', 'DEEPGRAM_TIMEOUT', 'Deepgram gave up after its own time limit.');
    default:
      if (status >= 500) {
        return passing('ENGINE_UNAVAILABLE', 'DEEPGRAM_UNAVAILABLE', 'Deepgram is not able to work now.');
      }
      return REQUEST_REJECTED;
  }
}

const FORBIDDEN = permanent(
  'ENGINE_REJECTED',
  'DEEPGRAM_FORBIDDEN',
  'The Deepgram project may not use this model or feature; choose another model or extend the plan.',
);
const MODEL_UNKNOWN = permanent(
  'UNSUPPORTED',
  'MODEL_UNKNOWN',
  'Deepgram has no such model for this language; choose another model or omit it.',
);
const UNREADABLE = permanent(
  'AUDIO',
  'AUDIO_UNREADABLE',
  'Deepgram found no audio it can read in the recording; check that the file is whole and is audio.',
);
const REQUEST_REJECTED = permanent(
  'ENGINE_REJECTED',
  'DEEPGRAM_REQUEST_REJECTED',
  'Deepgram refused the request; the detail says why.',
);
/** Tells the engine that Deepgram wants the recording itself, since it may not fetch that address. */
export const NOT_PUBLIC_CODE = 'FETCH_BLOCKED_ADDRESS';

function ruleForBadRequest(code: string, message: string): Rule {
  if (/publicly routable/i.test(message)) {
    return permanent('FETCH', NOT_PUBLIC_CODE, "Deepgram can't fetch from the recording's address.");
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
      `Deepgram refused the vocabulary: ${message.slice(0, 200)}`,
    );
  }
  if (/language/i.test(message)) {
    return permanent(
      'UNSUPPORTED',
      'LANGUAGE_UNSUPPORTED',
      `Deepgram refused the language: ${message.slice(0, 200)}`,
    );
  }
  return REQUEST_REJECTED;
}

/** Deepgram could not fetch the recording; the same codes as when the worker can't. */
function ruleForSource(message: string): Rule {
  const status = Number(/\b([1-5]\d\d)\b/.exec(message)?.[1] ?? 0);
  const text = `Deepgram could not fetch the recording from its URL: ${message.slice(0, 200)}`;
  if (status === 404 || status === 410) return permanent('FETCH', 'FETCH_NOT_FOUND', text);
  if (status === 401 || status === 403) return permanent('FETCH', 'FETCH_FORBIDDEN', text);
  if (status === 408) return passing('FETCH', 'FETCH_TIMEOUT', text);
  if (status === 425 || status === 429) return passing('FETCH', 'FETCH_RATE_LIMITED', text);
  if (status >= 500) return passing('FETCH', 'FETCH_SERVER_ERROR', text);
  return permanent('FETCH', 'FETCH_REFUSED', text);
}
