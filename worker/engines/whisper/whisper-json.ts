import { z } from 'zod';
import { mean, type RawSegment } from './whisper-lines.ts';

const Offsets = z.object({ from: z.number(), to: z.number() });
const WhisperJson = z.object({
  result: z.object({ language: z.string() }),
  transcription: z.array(
    z.object({
      offsets: Offsets,
      text: z.string(),
      tokens: z.array(z.object({ text: z.string(), offsets: Offsets.optional(), p: z.number() })).default([]),
    }),
  ),
});

export interface WhisperDocument {
  readonly language: string;
  readonly segments: readonly RawSegment[];
}

/** Tokens that are no text, such as `[_BEG_]` and `[_TT_150]`. */
const SPECIAL = /^\[_.*\]$|^<\|.*\|>$/;

/** The file that `--output-json-full` writes. @throws Error when it is incomplete or of another shape. */
export function readWhisperJson(text: string): WhisperDocument {
  const document = WhisperJson.parse(JSON.parse(text));
  const segments = document.transcription.map((segment) => {
    const spoken = segment.tokens.filter((token) => !SPECIAL.test(token.text));
    return {
      startMs: segment.offsets.from,
      endMs: segment.offsets.to,
      text: segment.text.trim(),
      confidence: mean(spoken.map((token) => token.p)),
      tokens: spoken.map((token) => ({
        bytes: Buffer.from(token.text, 'utf8'),
        startMs: token.offsets?.from ?? segment.offsets.from,
        endMs: token.offsets?.to ?? segment.offsets.to,
        probability: token.p,
      })),
    };
  });
  return { language: document.result.language, segments };
}
