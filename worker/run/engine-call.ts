import type { TaskMessage } from '../../src/contract/messages.ts';
import { onAbort, unlessAborted } from '../../src/process/wait.ts';
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
  /** Aborted when the run must end, for any reason. */
  readonly signal: AbortSignal;
  /** Ends the run with this error. */
  readonly fail: (error: unknown) => void;
  readonly engineAbortMs: number;
}

export interface Transcribed {
  readonly languageConfidence: number | null;
  readonly model: string;
  readonly requestId: string | null;
  /** The length of the recording, or of the requested stretch. */
  readonly durationMs: number;
  readonly computeMs: number;
}

/** What the engine reports to during one call; once closed, it drops everything. */
export function openReport(
  run: Run,
  bounds: SegmentBounds,
  keep: (segment: EngineSegment) => EngineSegment | null = (segment) => segment,
): { readonly report: EngineReport; readonly audioMs: () => number | null; close(): void } {
  let isOpen = true;
  let audioMs: number | null = null;
  const whileOpen = (action: () => void) => {
    if (isOpen && !run.signal.aborted) action();
  };
  return {
    audioMs: () => audioMs,
    close: () => {
      isOpen = false;
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
          // Only an engine that reads the source itself has something new to report.
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

/** Ends the run when the recording is longer than the service allows; `requestId` of a request already paid for. */
export function refuseTooLong(durationMs: number | null, run: Run, requestId: string | null): void {
  const { maxAudioMs } = run.task.limits;
  if (durationMs === null || durationMs <= maxAudioMs) return;
  run.fail(new EngineError(DecodeFailure.tooLong(maxAudioMs).failure, { requestId }));
}

/** Awaits the engine's call. A call that does not return within `engineAbortMs` after an abort is left behind. */
export async function callEngine(call: Promise<EngineResult>, run: Run): Promise<EngineResult> {
  const patience = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const forget = onAbort(run.signal, () => {
    timer = setTimeout(() => patience.abort(run.signal.reason), run.engineAbortMs);
  });
  try {
    const result = await unlessAborted(call, patience.signal);
    run.signal.throwIfAborted();
    return result;
  } finally {
    clearTimeout(timer);
    forget();
  }
}
