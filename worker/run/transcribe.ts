import type { TaskMessage } from '../../src/contract/messages.ts';
import type { AudioPipeline } from '../audio/audio-pipeline.ts';
import { DecodeFailure } from '../audio/decode-failure.ts';
import { EngineError, type EngineReport, type EngineResult, type EngineSegment } from '../engines/engine.ts';
import type { EventPublisher } from './event-publisher.ts';
import type { SegmentBounds } from './fit-segments.ts';
import type { ProgressPublisher } from './progress-publisher.ts';
import type { SegmentPublisher } from './segment-publisher.ts';

/** What one run works with. */
export interface Run {
  readonly task: TaskMessage;
  readonly audio: AudioPipeline;
  /** Private to the run, removed after it. */
  readonly directory: string;
  readonly pieceMs: number;
  readonly events: EventPublisher;
  readonly segments: SegmentPublisher;
  readonly progress: ProgressPublisher;
  /** Aborted when the run must end, whatever the reason. */
  readonly signal: AbortSignal;
  /** Ends the run with this error. */
  readonly fail: (error: unknown) => void;
  readonly engineAbortMs: number;
}

export interface Transcribed {
  readonly language: string | null;
  readonly languageConfidence: number | null;
  readonly model: string;
  readonly requestId: string | null;
  /** Of the recording, or of the part that was asked for. */
  readonly durationMs: number;
  readonly computeMs: number;
}

/** What an engine reports lands here; nothing does once it is closed. */
export function openReport(
  run: Run,
  bounds: SegmentBounds,
  keep: (segment: EngineSegment) => EngineSegment | null = (segment) => segment,
): { readonly report: EngineReport; readonly audioMs: () => number | null; close(): void } {
  let open = true;
  let audioMs: number | null = null;
  const whileOpen = (action: () => void) => {
    if (open && !run.signal.aborted) action();
  };
  return {
    audioMs: () => audioMs,
    close: () => {
      open = false;
    },
    report: {
      segments: (found) =>
        whileOpen(() => {
          const kept = found.flatMap((segment) => keep(segment) ?? []);
          run.segments.add(kept, { ...bounds, endMs: bounds.endMs ?? audioMs });
          run.progress.processed(run.segments.endMs);
        }),
      progress: (processedMs) => whileOpen(() => run.progress.processed(bounds.offsetMs + processedMs)),
      indeterminate: (value) => whileOpen(() => run.progress.indeterminate(value)),
      audio: ({ durationMs, channels, requestId }) =>
        whileOpen(() => {
          // Only engines that read the source themselves know more than the worker.
          if (bounds.endMs !== null || audioMs !== null) return;
          audioMs = durationMs === null ? null : Math.round(durationMs);
          refuseTooLong(audioMs, run, requestId ?? null);
          if (run.signal.aborted) return;
          run.progress.total(audioMs);
          const { sizeBytes, sha256 } = run.task.audio;
          const form = { codec: null, sampleRate: null, channels, sizeBytes, sha256 };
          run.events.publish({ type: 'audio', durationMs: audioMs, ...form }).catch(run.fail);
        }),
    },
  };
}

/** Ends the run when the recording is longer than the service allows; `requestId` of what was paid for it. */
export function refuseTooLong(durationMs: number | null, run: Run, requestId: string | null): void {
  const { maxAudioMs } = run.task.limits;
  if (durationMs === null || durationMs <= maxAudioMs) return;
  run.fail(new EngineError(DecodeFailure.tooLong(maxAudioMs).failure, { requestId }));
}

/** The engine's call; when it does not end after an abort, the run goes on without it. */
export async function callEngine(call: Promise<EngineResult>, run: Run): Promise<EngineResult> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: () => void = () => undefined;
  const deserted = new Promise<never>((_, reject) => {
    onAbort = () => {
      timer = setTimeout(() => reject(run.signal.reason), run.engineAbortMs);
    };
    run.signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    const result = await Promise.race([call, deserted]);
    run.signal.throwIfAborted();
    return result;
  } finally {
    clearTimeout(timer);
    run.signal.removeEventListener('abort', onAbort);
  }
}
