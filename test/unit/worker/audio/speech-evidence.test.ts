import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { speechEvidenceOf } from '../../../../worker/audio/speech-evidence.ts';
import { SAMPLE_RATE, WAV_HEADER_BYTES } from '../../../../worker/audio/wav.ts';
import { mixed, NOISES, type NoiseName, noise } from '../../../support/noises.ts';
import { sample } from '../../../support/whisper-piece.ts';

const speech = (name: 'hello' | 'shift'): Int16Array => {
  const bytes = readFileSync(sample(name).wav).subarray(WAV_HEADER_BYTES);
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};
const names = Object.keys(NOISES) as NoiseName[];

describe('evidence of speech', () => {
  test.each(names)('is not found in 20 s of %s', (name) => {
    expect(speechEvidenceOf(noise(name, 20)).anywhere).toBe(false);
  });

  test('is not found in silence', () => {
    expect(speechEvidenceOf(new Int16Array(5 * SAMPLE_RATE)).anywhere).toBe(false);
  });

  test.each(['hello', 'shift'] as const)('is found in every two seconds of %s', (name) => {
    const samples = speech(name);
    const evidence = speechEvidenceOf(samples);
    const lastMs = (samples.length / SAMPLE_RATE) * 1000 - 2000;
    for (let startMs = 0; startMs < lastMs; startMs += 500) {
      expect(evidence.mayBeSpeech(startMs, startMs + 2000), `at ${startMs}`).toBe(true);
    }
  });

  test.each(['white', 'pink'] as const)('is found in speech as loud as the %s noise around it', (name) => {
    for (const spoken of ['hello', 'shift'] as const) {
      const samples = speech(spoken);
      const evidence = speechEvidenceOf(mixed(samples, noise(name, 20), 0));
      const lastMs = (samples.length / SAMPLE_RATE) * 1000 - 4000;
      for (let startMs = 0; startMs < lastMs; startMs += 500) {
        expect(evidence.mayBeSpeech(startMs, startMs + 4000), `${spoken} at ${startMs}`).toBe(true);
      }
    }
  });

  test('is found in quiet speech, a hundredth as loud', () => {
    expect(speechEvidenceOf(speech('hello').map((each) => Math.round(each / 100))).anywhere).toBe(true);
  });

  test('is found in speech and not in the noise before it', () => {
    const before = noise('pink', 10);
    const samples = new Int16Array(before.length + speech('hello').length);
    samples.set(before);
    samples.set(speech('hello'), before.length);

    const evidence = speechEvidenceOf(samples);

    expect(evidence.mayBeSpeech(0, 9000)).toBe(false);
    expect(evidence.mayBeSpeech(10_000, 13_000)).toBe(true);
  });

  test('is assumed in audio that is too short to judge', () => {
    expect(speechEvidenceOf(noise('tone', 0.2)).anywhere).toBe(true);
  });
});
