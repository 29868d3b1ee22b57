import { rm } from 'node:fs/promises';
import type { AudioPiece } from '../audio/cut-audio.ts';
import type { EngineResult, WavEngine } from '../engines/engine.ts';
import { callEngine, openReport, type Run, type Transcribed } from './engine-call.ts';

/** Fetches, decodes and cuts the recording, and calls the engine once for each piece. */
export async function transcribeWav(engine: WavEngine, run: Run): Promise<Transcribed> {
  const { task, events, segments, progress, signal } = run;
  const wav = await prepare(run);
  const endMs = Math.min(task.range.endMs ?? wav.durationMs, wav.durationMs);
  const fromMs = Math.max(task.range.startMs, events.checkpoint.checkpointMs);
  progress.total(endMs);
  progress.enter('TRANSCRIBING');
  progress.processed(fromMs);
  let first: EngineResult | null = null;
  let last: EngineResult | null = null;
  let computeMs = 0;
  if (fromMs < endMs) {
    const cut = { fromMs, endMs, pieceMs: run.pieceMs, directory: run.directory };
    for await (const piece of run.audio.cut(wav.path, cut, signal)) {
      const before = segments.count;
      const startedAt = performance.now();
      last = await transcribePiece(engine, piece, run);
      computeMs += performance.now() - startedAt;
      // Engines name a language for silence too.
      const spoken = segments.count > before;
      if (spoken) first ??= last;
      const pieceEndMs = Math.min(endMs, piece.startMs + piece.durationMs);
      segments.advance(pieceEndMs, spoken ? (segments.language ?? last.language) : null);
      progress.processed(pieceEndMs);
      if (piece.path !== wav.path) await rm(piece.path, { force: true });
    }
  }
  progress.enter('FINALIZING');
  return {
    languageConfidence: first?.languageConfidence ?? null,
    model: last?.model ?? task.options.model,
    requestId: last?.requestId ?? null,
    durationMs: wav.durationMs,
    computeMs,
  };
}

async function prepare(run: Run): Promise<{ readonly path: string; readonly durationMs: number }> {
  const { task, events, progress, directory, signal } = run;
  const { maxAudioBytes, maxAudioMs } = task.limits;
  progress.enter('FETCHING');
  const fetched = await run.audio.fetch(task.audio, { directory, maxBytes: maxAudioBytes }, signal);
  progress.enter('DECODING');
  const decoded = await run.audio.decode(fetched.path, { directory, maxDurationMs: maxAudioMs }, signal);
  const { durationMs, codec, sampleRate, channels } = decoded;
  const { sizeBytes, sha256 } = fetched;
  await events.publish({ type: 'audio', durationMs, codec, sampleRate, channels, sizeBytes, sha256 });
  if (fetched.path !== decoded.path) await rm(fetched.path, { force: true });
  return { path: decoded.path, durationMs };
}

async function transcribePiece(engine: WavEngine, piece: AudioPiece, run: Run): Promise<EngineResult> {
  const bounds = { offsetMs: piece.startMs, endMs: piece.startMs + piece.durationMs };
  const { report, close } = openReport(run, bounds);
  try {
    const call = engine.transcribe(
      {
        path: piece.path,
        durationMs: piece.durationMs,
        workDirectory: run.directory,
        options: run.task.options,
        language: run.segments.language ?? run.task.options.language,
      },
      report,
      run.signal,
    );
    return await callEngine(call, run);
  } finally {
    close();
  }
}
