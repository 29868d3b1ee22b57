import { describe, expect, test } from 'vitest';
import { failureOf, parseRetryAfterMs } from '../../../../../worker/engines/deepgram/deepgram-failure.ts';

const now = new Date('2026-11-22T12:00:00Z');
const badRequest = (err_msg: string, err_code = 'Bad Request') =>
  failureOf({ status: 400, body: { err_code, err_msg, request_id: 'x' }, retryAfter: null }, now);

describe('a bad request of Deepgram', () => {
  test.each([
    ['Bad Request: failed to process audio: corrupt or unsupported data', 'AUDIO', 'AUDIO_UNREADABLE'],
    ['Bad Request: No such model/language/tier combination found.', 'UNSUPPORTED', 'MODEL_UNKNOWN'],
    [
      'Keyterm limit exceeded. The maximum number of tokens across all keyterms is 500.',
      'UNSUPPORTED',
      'VOCABULARY_UNSUPPORTED',
    ],
    ['Language detection is not supported here', 'UNSUPPORTED', 'LANGUAGE_UNSUPPORTED'],
    ['Something new', 'ENGINE_REJECTED', 'DEEPGRAM_REQUEST_REJECTED'],
  ])('"%s" is %s %s', (message, kind, code) => {
    expect(badRequest(message)).toMatchObject({ kind, code, retryable: false });
  });

  test.each([
    ['The remote server hosting the media returned a client error: 404 Not Found.', false],
    ['The remote server hosting the media returned a client error: 429 Too Many Requests.', true],
    ['The remote server hosting the media returned a server error: 503.', true],
    ['The remote server hosting the media returned too many redirects.', false],
  ])('about the source is a FETCH failure: "%s" retryable %s', (message, retryable) => {
    expect(badRequest(message, 'REMOTE_CONTENT_ERROR')).toMatchObject({ kind: 'FETCH', retryable });
  });

  test('in the other documented shape is read too', () => {
    const body = { category: 'INVALID_JSON', message: 'Invalid JSON submitted.', details: 'missing `url`' };

    const failure = failureOf({ status: 400, body, retryAfter: null }, now);

    expect(failure.detail).toBe('HTTP 400 INVALID_JSON Invalid JSON submitted. missing `url`');
  });
});

describe('Retry-After', () => {
  test.each([
    ['30', 30_000],
    ['0', 0],
    ['Sun, 22 Nov 2026 12:01:30 GMT', 90_000],
    ['Sun, 22 Nov 2026 11:00:00 GMT', 0],
    ['99999999', 86_400_000],
    ['soon', null],
    ['', null],
    [null, null],
  ])('%s is %s ms', (header, delayMs) => {
    expect(parseRetryAfterMs(header, now)).toBe(delayMs);
  });

  test('is obeyed for 503 too, and left out of what is never retried', () => {
    expect(failureOf({ status: 503, body: null, retryAfter: '5' }, now).retryAfterMs).toBe(5000);
    expect(failureOf({ status: 402, body: null, retryAfter: '5' }, now).retryAfterMs).toBeUndefined();
  });
});

test('a body of any size leaves a short detail', () => {
  const failure = failureOf({ status: 502, body: `<html>${'x'.repeat(100_000)}`, retryAfter: null }, now);

  expect(failure.detail?.length).toBeLessThanOrEqual(1000);
});
