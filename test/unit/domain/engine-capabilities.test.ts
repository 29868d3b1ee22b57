import { describe, expect, test } from 'vitest';
import { mayFailOver, unsupportedOptions } from '../../../src/domain/engine-capabilities.ts';
import type { TranscriptionOptions } from '../../../src/domain/transcription-options.ts';
import { FAILURE_KINDS } from '../../../src/domain/vocabulary.ts';

const plain: TranscriptionOptions = {
  model: 'default',
  language: null,
  timestamps: 'WORD',
  diarize: false,
  translateToEnglish: false,
  vocabulary: ['Ada Lovelace'],
};
const fieldsOf = (engine: 'WHISPER' | 'DEEPGRAM', changes: Partial<TranscriptionOptions>) =>
  unsupportedOptions(engine, { ...plain, ...changes }).map((refused) => refused.field);

describe('options of a job', () => {
  test('that both engines know are refused by neither', () => {
    expect(fieldsOf('WHISPER', { language: 'pt-BR' })).toEqual([]);
    expect(fieldsOf('DEEPGRAM', { language: 'pt-BR' })).toEqual([]);
  });

  test.each([
    ['WHISPER', { diarize: true }, ['diarize']],
    ['WHISPER', { language: 'tlh' }, ['language']],
    ['WHISPER', { vocabulary: ['a'.repeat(601)] }, ['vocabulary']],
    ['WHISPER', { diarize: true, language: 'tlh' }, ['diarize', 'language']],
    ['DEEPGRAM', { translateToEnglish: true }, ['translateToEnglish']],
    ['DEEPGRAM', { vocabulary: ['a'.repeat(1501)] }, ['vocabulary']],
    ['DEEPGRAM', { model: 'whisper-large' }, ['vocabulary']],
  ] as const)('that %s lacks are refused by name: %o', (engine, changes, fields) => {
    expect(fieldsOf(engine, changes)).toEqual(fields);
  });

  test('that are refused are told with a remedy', () => {
    const [refused] = unsupportedOptions('WHISPER', { ...plain, diarize: true });

    expect(refused?.message).toContain('DEEPGRAM');
  });
});

test('the next engine takes over for faults of the engine alone', () => {
  expect(FAILURE_KINDS.filter(mayFailOver)).toEqual([
    'TIMEOUT',
    'RATE_LIMITED',
    'ENGINE_UNAVAILABLE',
    'ENGINE_REJECTED',
    'OUT_OF_MEMORY',
  ]);
});
