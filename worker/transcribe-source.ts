import type { EngineSegment, SourceEngine } from './engines/engine.ts';
import { callEngine, openReport, type Run, type Transcribed } from './transcribe.ts';

/** One call of an engine that reads the recording itself. */
export async function transcribeSource(engine: SourceEngine, run: Run): Promise<Transcribed> {
  const { order, facts, progress, segments } = run;
  const resumeMs = Math.max(order.range.startMs, facts.checkpoint.checkpointMs);
  const bounds = { offsetMs: 0, endMs: null };
  const { report, audioMs, close } = openReport(run, bounds, (segment) => after(segment, resumeMs));
  progress.enter('TRANSCRIBING');
  const startedAt = Date.now();
  try {
    const { kind, url, contentType, sizeBytes } = order.audio;
    const source = {
      jobId: order.jobId,
      attempt: facts.attempt,
      kind,
      url,
      contentType,
      sizeBytes,
      resumeMs,
      options: order.options,
      language: facts.checkpoint.language ?? order.options.language,
      open: (signal: AbortSignal) =>
        run.audio.open(order.audio, { maxBytes: order.limits.maxAudioBytes }, signal),
    };
    const result = await callEngine(engine.transcribe(source, report, run.signal), run);
    const durationMs = audioMs() ?? segments.endMs;
    progress.enter('FINALIZING');
    progress.processed(durationMs);
    segments.advance(durationMs, result.language);
    return { ...result, durationMs, computeMs: Date.now() - startedAt };
  } finally {
    close();
  }
}

/** The part of a segment that is not stored yet: engines that can't resume report everything again. */
function after(segment: EngineSegment, resumeMs: number): EngineSegment | null {
  if (segment.startMs >= resumeMs) return segment;
  const words = segment.words?.filter((word) => word.startMs >= resumeMs) ?? [];
  const first = words[0];
  if (first === undefined) return null;
  return { ...segment, startMs: first.startMs, text: words.map((word) => word.text).join(' '), words };
}
