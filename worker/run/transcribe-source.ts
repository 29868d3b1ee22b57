import { withDuration } from '../audio/stream-duration.ts';
import type { EngineSegment, SourceEngine } from '../engines/engine.ts';
import { callEngine, openReport, type Run, refuseTooLong, type Transcribed } from './engine-call.ts';

/** One call of an engine that reads the recording itself. */
export async function transcribeSource(engine: SourceEngine, run: Run): Promise<Transcribed> {
  const { task, events, progress, segments } = run;
  const resumeMs = Math.max(task.range.startMs, events.checkpoint.checkpointMs);
  const bounds = { offsetMs: 0, endMs: null };
  const { report, audioMs, close } = openReport(run, bounds, (segment) => after(segment, resumeMs));
  progress.enter('TRANSCRIBING');
  foresee(task.audio.durationMs, run);
  const startedAt = performance.now();
  try {
    const { kind, url, contentType, sizeBytes } = task.audio;
    const source = {
      jobId: task.jobId,
      attempt: events.attempt,
      kind,
      url,
      contentType,
      sizeBytes,
      resumeMs,
      options: task.options,
      language: events.checkpoint.language ?? task.options.language,
      open: async (signal: AbortSignal) => {
        const opened = await run.audio.open(task.audio, { maxBytes: task.limits.maxAudioBytes }, signal);
        const learn = (claimedMs: number) => foresee(claimedMs, run);
        return { ...opened, stream: withDuration(opened.stream, opened.sizeBytes, learn) };
      },
    };
    const result = await callEngine(engine.transcribe(source, report, run.signal), run);
    const durationMs = audioMs() ?? segments.endMs;
    progress.enter('FINALIZING');
    progress.processed(durationMs);
    segments.advance(durationMs, result.language);
    return { ...result, durationMs, computeMs: performance.now() - startedAt };
  } finally {
    close();
  }
}

/** The length before the engine reports it: for an estimate, and to refuse a recording before it is paid for. */
function foresee(durationMs: number | null, run: Run): void {
  refuseTooLong(durationMs, run, null);
  run.progress.total(durationMs);
}

/** The part of a segment that is not stored yet: an engine that cannot resume reports everything again. */
function after(segment: EngineSegment, resumeMs: number): EngineSegment | null {
  if (segment.startMs >= resumeMs) return segment;
  const words = segment.words?.filter((word) => word.startMs >= resumeMs) ?? [];
  const first = words[0];
  if (first === undefined) return null;
  return { ...segment, startMs: first.startMs, text: words.map((word) => word.text).join(' '), words };
}
