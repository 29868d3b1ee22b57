import type { TranscriptionOptions } from './transcription-options.ts';
import type { Engine, FailureKind } from './vocabulary.ts';

/** What an engine supports with any of its models; a worker announces the languages of each model. */
interface EngineCapabilities {
  readonly diarize: boolean;
  readonly translateToEnglish: boolean;
  /** Characters of all vocabulary entries together, with one separator between two. */
  readonly maxVocabularyCharacters: number;
  /** Primary language subtags (ISO 639); null where it depends on the model alone. */
  readonly languages: readonly string[] | null;
}

/**
 * The languages of whisper's multilingual models. A worker with an English-only model announces that.
 * Source: openai/whisper, tokenizer.py (LANGUAGES), and the tags that the worker translates to them.
 */
const WHISPER_LANGUAGES = [
  'af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fil fo fr gl gu ha haw he hi',
  'hr ht hu hy id in is it iw ja jv jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my nb',
  'ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur',
  'uz vi yi yo yue zh',
].flatMap((line) => line.split(' '));

/**
 * Sources: whisper.cpp keeps the last 224 tokens of a prompt, about 600 characters of names, and drops the others
 * silently; Deepgram's "Keyterm Prompting" allows 500 tokens a request, about 1,500.
 */
const ENGINE_CAPABILITIES: Readonly<Record<Engine, EngineCapabilities>> = {
  WHISPER: {
    diarize: false,
    translateToEnglish: true,
    maxVocabularyCharacters: 600,
    languages: WHISPER_LANGUAGES,
  },
  DEEPGRAM: {
    diarize: true,
    translateToEnglish: false,
    maxVocabularyCharacters: 1500,
    languages: null,
  },
};

export interface UnsupportedOption {
  /** The field of the submit input. */
  readonly field: 'diarize' | 'translateToEnglish' | 'vocabulary' | 'language';
  /** Names the engine, the limit and a remedy. */
  readonly message: string;
}

/**
 * The options that an engine does not support; a submit with one is refused with `UNSUPPORTED`. A job with several
 * engines must pass for each, since any of them may run it.
 */
export function unsupportedOptions(engine: Engine, options: TranscriptionOptions): UnsupportedOption[] {
  const can = ENGINE_CAPABILITIES[engine];
  const refused: UnsupportedOption[] = [];
  if (options.diarize && !can.diarize) {
    refused.push({
      field: 'diarize',
      message: `${engine} can't tell speakers apart; use an engine that can, such as DEEPGRAM.`,
    });
  }
  if (options.translateToEnglish && !can.translateToEnglish) {
    refused.push({
      field: 'translateToEnglish',
      message: `${engine} can't translate; use an engine that can, such as WHISPER.`,
    });
  }
  const vocabulary = unsupportedVocabulary(engine, options);
  if (vocabulary !== null) refused.push({ field: 'vocabulary', message: vocabulary });
  const language = options.language?.split('-')[0]?.toLowerCase();
  if (language !== undefined && can.languages !== null && !can.languages.includes(language)) {
    refused.push({
      field: 'language',
      message: `${engine} has no language ${options.language}; omit it to detect, or use another engine.`,
    });
  }
  return refused;
}

function unsupportedVocabulary(engine: Engine, options: TranscriptionOptions): string | null {
  if (options.vocabulary.length === 0) return null;
  if (engine === 'DEEPGRAM' && options.model.startsWith('whisper')) {
    return `DEEPGRAM's model ${options.model} takes no vocabulary; use nova-3 or omit it.`;
  }
  const max = ENGINE_CAPABILITIES[engine].maxVocabularyCharacters;
  const length = options.vocabulary.join(',').length;
  if (length <= max) return null;
  return `${engine} takes at most ${max} characters of vocabulary; these are ${length}.`;
}

/** Failures of the engine, and not of the recording, the request or the service itself. */
const FAIL_OVER_KINDS: Readonly<Record<FailureKind, boolean>> = {
  ENGINE_UNAVAILABLE: true,
  ENGINE_REJECTED: true,
  RATE_LIMITED: true,
  TIMEOUT: true,
  OUT_OF_MEMORY: true,
  // The recording would fail on any engine, and cost twice.
  FETCH: false,
  AUDIO: false,
  NO_SPEECH: false,
  // The user decides whether another engine may run it with other options.
  UNSUPPORTED: false,
  // The cause is unknown; the same engine tries again, up to the limit of lost runs.
  WORKER_LOST: false,
  INTERNAL: false,
};

/** Whether the next engine of a job's list takes over after this failure. */
export function mayFailOver(kind: FailureKind): boolean {
  return FAIL_OVER_KINDS[kind];
}
