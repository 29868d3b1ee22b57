import type { ProgressMessage } from '../contract/messages.ts';
import type { JobView, ProgressView } from '../domain/job-view.ts';

/** What a run has reported since its row was last written. */
export interface LiveProgress {
  readonly latest: ProgressMessage | null;
  /** End of the last live segment. */
  readonly checkpointMs: number;
  readonly segmentCount: number;
}

/** Merges live progress into the stored one. The fraction never decreases and is 1 only at completion. */
export function withLiveProgress(view: JobView, live: LiveProgress): JobView {
  if (view.status !== 'PROCESSING') return view;
  const { latest } = live;
  const stored = view.progress;
  const current = latest !== null && latest.attempt === view.attempt ? latest : null;
  const totalSeconds = stored.totalSeconds ?? (current?.totalMs == null ? null : current.totalMs / 1000);
  const processedSeconds = Math.max(
    stored.processedSeconds,
    live.checkpointMs / 1000,
    (current?.processedMs ?? 0) / 1000,
  );
  const fraction =
    totalSeconds === null || totalSeconds === 0 ? 0 : Math.min(0.999, processedSeconds / totalSeconds);
  const progress: ProgressView = {
    stage: current?.stage ?? (processedSeconds > 0 ? 'TRANSCRIBING' : 'FETCHING'),
    fraction: Math.max(stored.fraction, fraction),
    processedSeconds,
    totalSeconds,
    segmentCount: Math.max(stored.segmentCount, live.segmentCount),
    realtimeFactor: current?.realtimeFactor ?? null,
    etaSeconds: current?.etaMs == null ? null : Math.round(current.etaMs / 1000),
    isEstimate: current?.estimated ?? false,
    updatedAt:
      current === null ? stored.updatedAt : new Date(Math.max(current.at, stored.updatedAt.getTime())),
  };
  return { ...view, progress };
}
