import type { EngineSegment } from '../engine.ts';
import { mergeWords } from './merge-words.ts';
import type { RawSegment } from './whisper-lines.ts';

/** `[BLANK_AUDIO]`, `(music)`, `*coughs*`, `♪`: sounds that the model names, not speech. */
const NO_SPEECH = /^(\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|[♪♫\s.…-]+)$/u;

/**
 * Makes what whisper.cpp says true to the engine's obligations: in order, without overlap, within the piece
 * (it may set an end after the audio's).
 */
export function createSegmentFilter(durationMs: number, withWords: boolean) {
  let before = 0;
  return (raw: RawSegment): EngineSegment | null => {
    if (raw.text === '' || NO_SPEECH.test(raw.text) || raw.startMs >= durationMs) return null;
    const startMs = Math.min(Math.max(raw.startMs, before), durationMs);
    const endMs = Math.min(Math.max(raw.endMs, startMs), durationMs);
    before = endMs;
    const words = withWords ? mergeWords(raw.tokens ?? [], { startMs, endMs }) : null;
    return { startMs, endMs, text: raw.text, speaker: null, confidence: raw.confidence, words };
  };
}
