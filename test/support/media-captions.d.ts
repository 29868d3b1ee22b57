/** The package's own types name files without their endings, which Node's resolution does not find. */
declare module 'media-captions' {
  export interface ParsedCue {
    readonly startTime: number;
    readonly endTime: number;
    readonly text: string;
  }
  export type CueNode =
    | { readonly type: 'text'; readonly data: string }
    | { readonly type: 'c' | 'v' | 'timestamp'; readonly children: readonly CueNode[] };
  export function parseText(
    text: string,
    options: { readonly type: 'srt' | 'vtt'; readonly strict: boolean },
  ): Promise<{ readonly cues: readonly ParsedCue[] }>;
  export function tokenizeVTTCue(cue: ParsedCue): readonly CueNode[];
}
