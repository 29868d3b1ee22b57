import { z } from 'zod';
import { defaulted, integer, optional } from '../domain/validate.ts';

export const EXPORT_FORMATS = ['TXT', 'SRT', 'VTT', 'JSON', 'TSV'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Where captions are shown; `caption-rules.ts` has the rules of each. */
export const CAPTION_PRESETS = ['WEB', 'BROADCAST', 'KARAOKE'] as const;
export type CaptionPreset = (typeof CAPTION_PRESETS)[number];

export const ExportOptions = z.object({
  preset: defaulted(z.enum(CAPTION_PRESETS), 'WEB'),
  /** Null is the preset's for the script of each segment. SRT and VTT only. */
  maxCharsPerLine: optional(integer(10, 120)),
  /** Null is the preset's. SRT and VTT only. */
  maxLines: optional(integer(1, 5)),
  /** Names the speaker of each segment that has one; JSON always does. */
  includeSpeakers: defaulted(z.boolean(), false),
  /** Marks each word while it is spoken, where its time is known; null is the preset's. SRT and VTT only. */
  highlightWords: optional(z.boolean()),
});
export type ExportOptions = Readonly<z.output<typeof ExportOptions>>;

export interface ExportRequest {
  readonly format: ExportFormat;
  readonly options: ExportOptions;
}
