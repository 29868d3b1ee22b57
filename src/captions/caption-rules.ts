import type { CaptionPreset, ExportOptions } from './export-options.ts';
import type { Script } from './text-script.ts';

/** How captions are laid out and timed. */
export interface CaptionRules {
  /** Characters: graphemes, with wide ones counted as `wideWidth`. */
  readonly maxCharsPerLine: number;
  readonly wideWidth: 1 | 2;
  readonly maxLines: number;
  /** A caption stays for its text at this speed, where `lingerMs` and the next caption allow. */
  readonly charsPerSecond: number;
  /** A caption stays at least this long, where the next one leaves room. */
  readonly minCueMs: number;
  readonly maxCueMs: number;
  /** How long after its speech a caption may stay to be read. */
  readonly lingerMs: number;
  /** Time without a caption before the next one. */
  readonly minGapMs: number;
  /** Shorter times without a caption are cut to `minGapMs`. */
  readonly closeGapsBelowMs: number;
}

interface PresetRules extends Omit<CaptionRules, 'maxCharsPerLine' | 'wideWidth' | 'charsPerSecond'> {
  readonly maxCharsPerLine: Readonly<Record<Script, number>>;
  readonly charsPerSecond: Readonly<Record<Script, number>>;
  readonly highlightWords: boolean;
}

/**
 * Sources: Netflix, Timed Text Style Guide: General Requirements (5/6 s to 7 s, two lines), Subtitle Timing Guidelines
 * (two frames between captions, here of 24 a second; half a second after the speech), and the guides of the
 * languages for captions in the language spoken (line lengths, reading speeds).
 */
const NETFLIX = {
  maxCharsPerLine: { ALPHABETIC: 42, CHINESE: 16, JAPANESE: 13, KOREAN: 16, THAI: 35 },
  charsPerSecond: { ALPHABETIC: 20, CHINESE: 11, JAPANESE: 7, KOREAN: 14, THAI: 20 },
  maxLines: 2,
  minCueMs: 833,
  maxCueMs: 7_000,
  lingerMs: 500,
  minGapMs: 84,
} as const;

/**
 * Source: BBC, Subtitle Guidelines: 37 characters a line; 180 words a minute, here of six characters with the space;
 * up to 1.5 s after the speech; no gap below 1 s.
 */
const BBC = { maxCharsPerLine: 37, charsPerSecond: 18, lingerMs: 1_500, closeGapsBelowMs: 1_000 } as const;

/** Source: CEA-608, 32 columns a row. */
const CEA_608 = { maxCharsPerLine: 32 } as const;

export const PRESETS: Readonly<Record<CaptionPreset, PresetRules>> = {
  /** Netflix's without gaps: players show captions one after the other without a flicker. */
  WEB: { ...NETFLIX, minGapMs: 0, closeGapsBelowMs: 0, highlightWords: false },
  /** The BBC's, and Netflix's for what the BBC leaves open. */
  BROADCAST: {
    ...NETFLIX,
    ...BBC,
    maxCharsPerLine: { ...NETFLIX.maxCharsPerLine, ALPHABETIC: BBC.maxCharsPerLine },
    charsPerSecond: { ...NETFLIX.charsPerSecond, ALPHABETIC: BBC.charsPerSecond },
    highlightWords: false,
  },
  /** One short line, each word marked while it is spoken. */
  KARAOKE: {
    ...NETFLIX,
    maxCharsPerLine: {
      ...NETFLIX.maxCharsPerLine,
      ALPHABETIC: CEA_608.maxCharsPerLine,
      THAI: CEA_608.maxCharsPerLine,
    },
    maxLines: 1,
    minGapMs: 0,
    closeGapsBelowMs: 0,
    highlightWords: true,
  },
};

/** The preset's rules for a script, with what the options say instead. */
export function captionRules(options: ExportOptions, script: Script): CaptionRules {
  const { maxCharsPerLine, charsPerSecond, highlightWords: _, ...rules } = PRESETS[options.preset];
  return {
    ...rules,
    maxLines: options.maxLines ?? rules.maxLines,
    maxCharsPerLine: options.maxCharsPerLine ?? maxCharsPerLine[script],
    charsPerSecond: charsPerSecond[script],
    wideWidth: script === 'ALPHABETIC' || script === 'THAI' ? 2 : 1,
  };
}

/** Whether words are to be marked while they are spoken. */
export function highlightsWords({ preset, highlightWords }: ExportOptions): boolean {
  return highlightWords ?? PRESETS[preset].highlightWords;
}
