import { describe, expect, it } from 'vitest';
import { optionsFor } from '../../../src/domain/admitted-job.ts';
import { optionsIn, TranscriptionOptions } from '../../../src/domain/transcription-options.ts';

const DEFAULTS: TranscriptionOptions = {
  model: 'default',
  language: null,
  timestamps: 'SEGMENT',
  diarize: false,
  translateToEnglish: false,
  vocabulary: [],
};

describe('transcription options', () => {
  it('have a default each', () => {
    expect(TranscriptionOptions.parse({})).toEqual(DEFAULTS);
  });

  it.each(['en', 'deu', 'zh-Hant', 'pt-BR', 'es-419', 'zh-Hant-TW'])('accept the language %s', (language) => {
    expect(TranscriptionOptions.parse({ language }).language).toBe(language);
  });

  it.each(['', 'e', 'engl', 'en_US', 'en-', 'en-USA', 'xen-US!', 'zh-Hants', 'zh-Han', '1en', 'en-US-x'])(
    'refuse the language %j',
    (language) => {
      const { error } = TranscriptionOptions.safeParse({ language });

      expect(error?.issues[0]?.message).toBe('must be a BCP 47 tag such as `en` or `pt-BR`');
    },
  );

  it.each([
    { what: 'an empty model', options: { model: '' } },
    { what: 'a model of 101 characters', options: { model: 'x'.repeat(101) } },
    { what: 'unknown timestamps', options: { timestamps: 'SYLLABLE' } },
    { what: 'an empty word in the vocabulary', options: { vocabulary: [''] } },
    { what: 'a word of 101 characters', options: { vocabulary: ['x'.repeat(101)] } },
    { what: '101 words', options: { vocabulary: Array.from({ length: 101 }, () => 'x') } },
  ])('refuse $what', ({ options }) => {
    expect(TranscriptionOptions.safeParse(options).success).toBe(false);
  });

  it('accept the largest values', () => {
    const largest = {
      model: 'x'.repeat(100),
      vocabulary: Array.from({ length: 100 }, () => 'x'.repeat(100)),
      timestamps: 'WORD',
    };

    expect(TranscriptionOptions.parse(largest)).toMatchObject(largest);
  });

  it('are found among the fields of a row', () => {
    expect(optionsIn({ ...DEFAULTS, id: 'job_1' } as TranscriptionOptions)).toEqual(DEFAULTS);
  });
});

describe('the model of a job', () => {
  it('applies to the first engine only; the others use their default', () => {
    const options = { ...DEFAULTS, model: 'large', language: 'de' };

    expect(optionsFor(0, options)).toEqual(options);
    expect(optionsFor(1, options)).toEqual({ ...options, model: 'default' });
  });
});
