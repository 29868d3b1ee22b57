import { z } from 'zod';
import { defaulted, optional, text } from './validate.ts';
import { TIMESTAMP_GRANULARITIES } from './vocabulary.ts';

/** The model name that means "the worker's own default". */
export const DEFAULT_MODEL = 'default';

/** BCP 47 in the forms that engines accept: language, script, region. Source: RFC 5646 §2.1. */
const LanguageTag = z
  .string()
  .regex(
    /^[a-zA-Z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?$/,
    'must be a BCP 47 tag such as `en` or `pt-BR`',
  );

/**
 * How a recording is transcribed: the one definition, for clients, rows and tasks. Which engine supports what is in
 * engine-capabilities.ts.
 */
export const TranscriptionOptions = z.object({
  model: defaulted(text(1, 100), DEFAULT_MODEL),
  /** Null to detect it. */
  language: optional(LanguageTag),
  timestamps: defaulted(z.enum(TIMESTAMP_GRANULARITIES), 'SEGMENT'),
  diarize: defaulted(z.boolean(), false),
  translateToEnglish: defaulted(z.boolean(), false),
  /** Words and names that the recording is likely to contain. */
  vocabulary: defaulted(z.array(text(1, 100)).max(100).readonly(), []),
});
export type TranscriptionOptions = Readonly<z.output<typeof TranscriptionOptions>>;

/** Also the names of their columns. */
export const OPTION_NAMES = TranscriptionOptions.keyof().options;

/** The options among the fields of something wider, such as a row. */
export function optionsIn(wider: TranscriptionOptions): TranscriptionOptions {
  return Object.fromEntries(OPTION_NAMES.map((name) => [name, wider[name]])) as TranscriptionOptions;
}
