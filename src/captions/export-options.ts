export const EXPORT_FORMATS = ['TXT', 'SRT', 'VTT', 'JSON', 'TSV'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Where captions are shown; `caption-rules.ts` has the rules of each. */
export const CAPTION_PRESETS = ['WEB', 'BROADCAST', 'KARAOKE'] as const;
export type CaptionPreset = (typeof CAPTION_PRESETS)[number];

export interface ExportOptions {
  readonly preset: CaptionPreset;
  /** 10 to 120; null is the preset's for the script of each segment. SRT and VTT only. */
  readonly maxCharsPerLine: number | null;
  /** 1 to 5; null is the preset's. SRT and VTT only. */
  readonly maxLines: number | null;
  /** Names the speaker of each segment that has one; JSON always does. */
  readonly includeSpeakers: boolean;
  /** Marks each word while it is spoken, where its time is known; null is the preset's. SRT and VTT only. */
  readonly highlightWords: boolean | null;
}

export interface ExportRequest {
  readonly format: ExportFormat;
  readonly options: ExportOptions;
}
