import { expect, test } from 'vitest';
import {
  answerTimeoutMs,
  uploadContentType,
} from '../../../../../worker/engines/deepgram/deepgram-request.ts';

test('an answer is awaited for longer than Deepgram works, and for longer than the audio can last', () => {
  const twoHoursOfMp3 = 2 * 3600 * 16_000;

  expect(answerTimeoutMs(0)).toBeGreaterThan(20 * 60_000);
  expect(answerTimeoutMs(twoHoursOfMp3)).toBeGreaterThan(2 * 3_600_000);
  expect(answerTimeoutMs(null)).toBe(24 * 3_600_000);
});

test.each([
  ['audio/wav', 'audio/wav'],
  ['Audio/MPEG; charset=binary', 'audio/mpeg'],
  ['video/mp4', 'video/mp4'],
  ['application/json', 'application/octet-stream'],
  ['audio/x\r\nx-evil: 1', 'application/octet-stream'],
  [null, 'application/octet-stream'],
])('a recording of type %j is sent as %s', (given, sent) => {
  expect(uploadContentType(given)).toBe(sent);
});
