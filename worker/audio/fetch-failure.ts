import type { IncomingHttpHeaders } from 'node:http';
import { firstChars } from '../../src/domain/cut-text.ts';
import { BlockedAddressError } from '../../src/network/guarded-agent.ts';
import { EngineError } from '../engines/engine.ts';

const MAX_RETRY_AFTER_MS = 3_600_000;
const TLS_ERROR = /^(CERT_|ERR_SSL_|ERR_TLS_|EPROTO$|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;
const TIMEOUT = /^(ETIMEDOUT|UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT)$/;

type FailureOptions = ErrorOptions & { readonly detail?: string };

function failure(code: string, retryable: boolean, message: string, more: { retryAfterMs?: number } = {}) {
  return (options: FailureOptions = {}) =>
    new EngineError(
      {
        kind: 'FETCH',
        code,
        message,
        retryable,
        ...more,
        ...(options.detail === undefined ? {} : { detail: firstChars(options.detail, 4096) }),
      },
      options,
    );
}

/** Every way in which fetching a recording fails. Messages name only the host, since a URL may contain secrets. */
export const FetchFailure = {
  badUrl: () =>
    failure('FETCH_REFUSED', false, 'The audio URL, or one it redirects to, is not an http or https URL.')(),

  tooManyRedirects: (host: string, limit: number) =>
    failure(
      'FETCH_TOO_MANY_REDIRECTS',
      false,
      `${host} redirected more than ${limit} times; use the final URL of the recording.`,
    )(),

  timeout: (host: string, options: FailureOptions = {}) =>
    failure('FETCH_TIMEOUT', true, `${host} took too long to respond; the job is retried.`)(options),

  tooLarge: (maxBytes: number) =>
    failure('FETCH_TOO_LARGE', false, `The recording is larger than the ${maxBytes} bytes allowed.`)(),

  truncated: (received: number, expected: number | null) =>
    failure(
      'FETCH_TRUNCATED',
      true,
      `The connection ended after ${received} of ${expected ?? 'an unknown number of'} bytes; the job is retried.`,
    )(),

  checksum: () =>
    failure(
      'FETCH_CHECKSUM',
      true,
      'The downloaded recording differs from the uploaded one; the job is retried.',
    )(),

  isHtml: (host: string) =>
    new EngineError({
      kind: 'AUDIO',
      code: 'AUDIO_IS_HTML',
      message: `${host} sent a web page instead of a recording; use the direct link to the audio file.`,
      retryable: false,
    }),

  /** For a response that is not a success. */
  ofStatus(status: number, headers: IncomingHttpHeaders, host: string): EngineError {
    const said = `${host} responded with ${status}`;
    const retryAfterMs = readRetryAfter(headers['retry-after']);
    const later = retryAfterMs === null ? {} : { retryAfterMs };
    if (status === 404 || status === 410) {
      return failure('FETCH_NOT_FOUND', false, `${said}: there is no recording at this URL.`)();
    }
    if (status === 401 || status === 403) {
      return failure('FETCH_FORBIDDEN', false, `${said}: the URL needs a login, or its signature expired.`)();
    }
    if (status === 408) return failure('FETCH_TIMEOUT', true, `${said}; the job is retried.`, later)();
    if (status === 425 || status === 429) {
      return failure('FETCH_RATE_LIMITED', true, `${said}: too many requests; the job is retried.`, later)();
    }
    if (status >= 500) {
      return failure('FETCH_SERVER_ERROR', true, `${said}: a server error; the job is retried.`, later)();
    }
    return failure('FETCH_REFUSED', false, `${said} instead of a recording.`)();
  },

  /** For an error of the connection; an `EngineError` stays itself. */
  of(error: Error & { readonly code?: string | undefined }, host: string): EngineError {
    if (error instanceof EngineError) return error;
    const code = error.code ?? '';
    const options = { cause: error, detail: `${code} ${error.message}`.trim() };
    if (error instanceof BlockedAddressError) {
      return failure(
        'FETCH_BLOCKED_ADDRESS',
        false,
        `${host} leads to a private address, which is not allowed; upload the file instead.`,
      )({ cause: error });
    }
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
      return failure(
        'FETCH_HOST_UNKNOWN',
        code === 'EAI_AGAIN',
        `The host ${host} is unknown; check the spelling of the URL.`,
      )(options);
    }
    if (TIMEOUT.test(code)) return FetchFailure.timeout(host, options);
    if (TLS_ERROR.test(code)) {
      return failure('FETCH_TLS', false, `${host} has no valid TLS certificate for this URL.`)(options);
    }
    return failure(
      'FETCH_CONNECTION',
      true,
      `The connection to ${host} failed; the job is retried.`,
    )(options);
  },
};

/** Source: RFC 9110 §10.2.3, seconds or a date. */
function readRetryAfter(value: string | undefined): number | null {
  if (value === undefined) return null;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.round(Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)) : null;
}
