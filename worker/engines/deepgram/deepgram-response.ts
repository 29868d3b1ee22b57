import { z } from 'zod';
import type { Word } from '../../../src/domain/transcript.ts';
import type { EngineResult, EngineSegment } from '../engine.ts';

/** May be negative: a rounding error is no reason to discard an answer that was paid for. */
const Seconds = z.number();

const WordAnswer = z.object({
  word: z.string(),
  start: Seconds,
  end: Seconds,
  confidence: z.number().optional(),
  speaker: z.number().optional(),
  punctuated_word: z.string().optional(),
});
type WordAnswer = z.infer<typeof WordAnswer>;

const UtteranceAnswer = z.object({
  start: Seconds,
  end: Seconds,
  transcript: z.string(),
  confidence: z.number().optional(),
  speaker: z.number().optional(),
  words: z.array(WordAnswer).default([]),
});
type UtteranceAnswer = z.infer<typeof UtteranceAnswer>;

const AlternativeAnswer = z.object({
  transcript: z.string(),
  confidence: z.number().optional(),
  words: z.array(WordAnswer).default([]),
  languages: z.array(z.string()).optional(),
});

/**
 * The fields that we use of an answer to `POST /v1/listen`. Checked, because the SDK returns any answer, even invalid
 * JSON.
 * Source: developers.deepgram.com, API reference of `/v1/listen`, read November 2026.
 */
export const ListenAnswer = z.object({
  metadata: z.object({
    request_id: z.string().optional(),
    duration: Seconds,
    channels: z.number().int().min(0),
    models: z.array(z.string()).optional(),
    model_info: z.record(z.string(), z.object({ name: z.string().optional() })).optional(),
  }),
  results: z.object({
    channels: z
      .array(
        z.object({
          alternatives: z.array(AlternativeAnswer).default([]),
          detected_language: z.string().optional(),
          language_confidence: z.number().optional(),
        }),
      )
      .min(1),
    utterances: z.array(UtteranceAnswer).optional(),
  }),
});
export type ListenAnswer = z.infer<typeof ListenAnswer>;

/** A longer utterance becomes several segments, so that each fits into a message. */
const MAX_WORDS = 200;

const toMs = (seconds: number): number => Math.max(0, Math.round(seconds * 1000));
const toConfidence = (value: number | undefined): number | null =>
  value === undefined ? null : Math.min(1, Math.max(0, value));
const textOfWord = (word: WordAnswer): string => word.punctuated_word ?? word.word;

/** Length of the recording in milliseconds, as Deepgram measured it. */
export const durationMsOf = (answer: ListenAnswer): number => toMs(answer.metadata.duration);

/**
 * Utterances as segments: in order, within the recording, without overlap (of speakers who talk at the same time, the
 * later one starts when the earlier one ends).
 */
export function segmentsOf(
  answer: ListenAnswer,
  wanted: { readonly words: boolean; readonly resumeMs: number },
): EngineSegment[] {
  const durationMs = durationMsOf(answer);
  const segments: EngineSegment[] = [];
  let freeFromMs = wanted.resumeMs;
  const pieces = utterancesOf(answer).flatMap((utterance) => splitUtterance(utterance, wanted.resumeMs));
  for (const piece of pieces.sort((a, b) => a.start - b.start)) {
    const text = piece.transcript.trim();
    if (text === '') continue;
    const startMs = Math.min(durationMs, Math.max(freeFromMs, toMs(piece.start)));
    const endMs = Math.min(durationMs, Math.max(startMs, toMs(piece.end)));
    segments.push({
      startMs,
      endMs,
      text,
      speaker: piece.speaker === undefined ? null : String(piece.speaker),
      confidence: toConfidence(piece.confidence),
      words: wanted.words ? piece.words.map((word) => toWord(word, startMs, endMs)) : null,
    });
    freeFromMs = endMs;
  }
  return segments;
}

/** What the answer says about the whole recording. */
export function resultOf(
  answer: ListenAnswer,
  asked: { readonly language: string | null; readonly model: string; readonly requestId: string | null },
): EngineResult {
  const channel = answer.results.channels[0];
  const detected = channel?.detected_language ?? channel?.alternatives[0]?.languages?.[0] ?? null;
  const modelId = answer.metadata.models?.[0] ?? '';
  return {
    language: asked.language ?? detected,
    languageConfidence: asked.language === null ? toConfidence(channel?.language_confidence) : null,
    model: answer.metadata.model_info?.[modelId]?.name ?? asked.model,
    requestId: asked.requestId ?? answer.metadata.request_id ?? null,
  };
}

/** Installations without the utterances feature return words only; they make one utterance per channel. */
function utterancesOf(answer: ListenAnswer): readonly UtteranceAnswer[] {
  if (answer.results.utterances !== undefined) return answer.results.utterances;
  return answer.results.channels.flatMap((channel) => {
    const best = channel.alternatives[0];
    if (best === undefined || best.transcript.trim() === '') return [];
    const end = best.words.at(-1)?.end ?? answer.metadata.duration;
    return [{ ...best, start: best.words[0]?.start ?? 0, end }];
  });
}

/** The parts of an utterance that start at or after `resumeMs`, each of at most MAX_WORDS words. */
function splitUtterance(utterance: UtteranceAnswer, resumeMs: number): UtteranceAnswer[] {
  const isNew = (part: { readonly start: number }) => toMs(part.start) >= resumeMs;
  if (utterance.words.length <= MAX_WORDS && isNew(utterance)) return [utterance];
  const words = utterance.words.filter(isNew);
  const parts: UtteranceAnswer[] = [];
  for (let from = 0; from < words.length; from += MAX_WORDS) {
    const part = words.slice(from, from + MAX_WORDS);
    const transcript = part.map(textOfWord).join(' ');
    parts.push({
      ...utterance,
      start: part[0]?.start ?? utterance.start,
      end: part.at(-1)?.end ?? utterance.end,
      transcript,
      words: part,
    });
  }
  return parts;
}

function toWord(word: WordAnswer, fromMs: number, toEndMs: number): Word {
  const startMs = Math.min(toEndMs, Math.max(fromMs, toMs(word.start)));
  return {
    startMs,
    endMs: Math.min(toEndMs, Math.max(startMs, toMs(word.end))),
    text: textOfWord(word),
    confidence: toConfidence(word.confidence),
  };
}
