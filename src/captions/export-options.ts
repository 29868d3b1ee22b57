export const EXPORT_FORMATS = ['TXT', 'SRT', 'VTT', 'JSON', 'TSV'] as const;

export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  /** 10 to 120. */
  readonly maxCharsPerLine: number;
  /** 1 to 5. */
  readonly maxLines: number;
  readonly includeSpeakers: boolean;
  readonly highlightWords: boolean;
}

export interface ExportRequest {
  readonly format: ExportFormat;
  readonly options: ExportOptions;
}
