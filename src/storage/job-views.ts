import type { AttemptView, JobView, ProgressView } from '../domain/job-view.ts';
import { optionsIn } from '../domain/transcription-options.ts';
import { isFinal } from '../domain/vocabulary.ts';
import { priorityOf } from './job-rows.ts';
import type { AttemptRow, JobRow } from './tables.ts';

export function toJobView(row: JobRow): JobView {
  const { failure, failureAt } = row;
  return {
    id: row.id,
    tenantId: row.tenantId,
    externalId: row.externalId,
    status: row.status,
    revision: row.revision,
    progress: progressOf(row),
    queue: row.queue,
    priority: priorityOf(row.priority),
    engines: row.engines,
    tags: row.tags,
    metadata: row.metadata,
    audio: {
      filename: row.audioFilename,
      contentType: row.audioContentType,
      codec: row.audioCodec,
      sizeBytes: row.audioSizeBytes,
      durationSeconds: secondsOf(row.audioDurationMs),
      sha256: row.audioSha256,
      sampleRate: row.audioSampleRate,
      channels: row.audioChannels,
    },
    options: optionsIn(row),
    submittedAt: row.submittedAt,
    scheduledFor: row.scheduledFor,
    deadline: row.deadline,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    expiresAt: row.expiresAt,
    nextAttemptAt: row.nextAttemptAt,
    cancelRequestedAt: row.cancelRequestedAt,
    attempt: row.attempt,
    maxAttempts: row.maxAttempts,
    failure:
      failure === null || failureAt === null
        ? null
        : { ...failure, at: failureAt, deadLetteredAt: row.deadLetteredAt },
    transcript:
      row.segmentCount === 0
        ? null
        : {
            jobId: row.id,
            language: row.detectedLanguage,
            languageConfidence: row.languageConfidence,
            isFinal: isFinal(row.status),
          },
    usage:
      row.status === 'COMPLETED'
        ? { billedSeconds: row.billedMs / 1000, computeSeconds: row.computeMs / 1000 }
        : null,
  };
}

const secondsOf = (ms: number | null): number | null => (ms === null ? null : ms / 1000);

/** From the row. For a running job, the hub's live progress takes its place. */
function progressOf(row: JobRow): ProgressView {
  const completed = row.status === 'COMPLETED';
  const total = row.audioDurationMs;
  const processed = completed && total !== null ? total : row.checkpointMs;
  const fraction = total === null || total === 0 ? 0 : Math.min(0.999, processed / total);
  return {
    stage: null,
    fraction: completed ? 1 : fraction,
    processedSeconds: processed / 1000,
    totalSeconds: secondsOf(total),
    segmentCount: row.segmentCount,
    realtimeFactor: completed && row.computeMs > 0 ? processed / row.computeMs : null,
    etaSeconds: isFinal(row.status) ? 0 : null,
    isEstimate: false,
    updatedAt: row.updatedAt,
  };
}

export function toAttemptView(row: AttemptRow): AttemptView {
  return {
    number: row.number,
    engine: row.engine,
    model: row.model,
    workerId: row.workerId,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    outcome: row.outcome,
    failure:
      row.failure === null
        ? null
        : { ...row.failure, at: row.finishedAt ?? row.startedAt, deadLetteredAt: null },
    requestId: row.requestId,
  };
}
