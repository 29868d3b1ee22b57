import type { AdmittedJob } from '../domain/admitted-job.ts';
import { engineFor, type Job, type JobFields } from '../domain/job.ts';
import type { JobUpdate } from '../domain/job-update.ts';
import type { NewJob } from '../domain/new-job.ts';
import {
  DEFAULT_MODEL,
  type Failure,
  isFinal,
  JOB_PRIORITIES,
  type JobPriority,
  type QueueName,
  queueOf,
  type TranscriptionOptions,
} from '../domain/vocabulary.ts';
import type { JobRow } from './tables.ts';

/** Rows of `jobs` to the lifecycle union and back. */

export function priorityOf(rank: number): JobPriority {
  const priority = JOB_PRIORITIES[rank];
  if (priority === undefined) throw new RangeError(`no priority has rank ${rank}`);
  return priority;
}

export const rankOf = (priority: JobPriority): number => JOB_PRIORITIES.indexOf(priority);

/** A row that contradicts its own status; the CHECK constraints make that impossible. */
function required<Value>(value: Value | null, row: JobRow, column: string): Value {
  if (value === null) throw new Error(`job ${row.id} is ${row.status} without ${column}`);
  return value;
}

export function toJob(row: JobRow): Job {
  const fields: JobFields = {
    id: row.id,
    engines: row.engines,
    engineIndex: row.engineIndex,
    attempt: row.attempt,
    lastOrdinal: row.lastOrdinal,
    runId: row.runId,
    failures: row.failures,
    lostRuns: row.lostRuns,
    maxAttempts: row.maxAttempts,
    checkpoint: checkpointOf(row),
    cancelRequestedAt: row.cancelRequestedAt,
    deadline: row.deadline,
  };
  switch (row.status) {
    case 'SCHEDULED':
      return {
        ...fields,
        status: row.status,
        scheduledFor: required(row.scheduledFor, row, 'scheduled_for'),
      };
    case 'QUEUED':
      return { ...fields, status: row.status, admitted: row.admittedAt !== null };
    case 'PROCESSING':
      return { ...fields, status: row.status, runId: required(row.runId, row, 'run_id') };
    case 'RETRYING':
      return {
        ...fields,
        status: row.status,
        nextAttemptAt: required(row.nextAttemptAt, row, 'next_attempt_at'),
        failure: required(row.failure, row, 'failure'),
      };
    case 'COMPLETED':
    case 'CANCELED':
      return { ...fields, status: row.status, finishedAt: required(row.finishedAt, row, 'finished_at') };
    case 'FAILED':
      return {
        ...fields,
        status: row.status,
        finishedAt: required(row.finishedAt, row, 'finished_at'),
        failure: required(row.failure, row, 'failure'),
        deadLetteredAt: row.deadLetteredAt,
      };
  }
}

function checkpointOf(row: JobRow): Job['checkpoint'] {
  const { generation, segmentCount, checkpointMs } = row;
  return { generation, segmentCount, checkpointMs, language: row.detectedLanguage };
}

export function toStoredJob(row: JobRow): StoredJob {
  return {
    job: toJob(row),
    tenantId: row.tenantId,
    priority: priorityOf(row.priority),
    queue: row.queue,
    taskSequence: row.taskSequence,
    uploadId: row.uploadId,
    cancelReason: row.cancelReason,
  };
}

export function optionsOf(row: JobRow): TranscriptionOptions {
  const { model, language, timestamps, diarize, translateToEnglish, vocabulary } = row;
  return { model, language, timestamps, diarize, translateToEnglish, vocabulary };
}

export function toAdmittedJob(row: JobRow): AdmittedJob {
  return {
    id: row.id,
    queue: row.queue,
    priority: priorityOf(row.priority),
    attempt: row.attempt + 1,
    publication: row.publication,
    source:
      row.uploadId === null
        ? { url: required(row.sourceUrl, row, 'source_url') }
        : { uploadId: row.uploadId },
    audio: {
      filename: row.audioFilename,
      contentType: row.audioContentType,
      sizeBytes: row.audioSizeBytes,
      sha256: row.audioSha256,
      durationMs: row.audioDurationMs,
    },
    // The model is one of the first engine's; another engine runs its own default.
    options: row.engineIndex === 0 ? optionsOf(row) : { ...optionsOf(row), model: DEFAULT_MODEL },
    resume: checkpointOf(row),
    deadline: row.deadline,
  };
}

/** The columns that an update sets, besides `revision`. */
export function columnsOf(update: JobUpdate, row: JobRow, retentionMs: number): Partial<JobRow> {
  const { job, at } = update;
  return {
    status: job.status,
    queue: queueOf(engineFor(job)),
    engineIndex: job.engineIndex,
    attempt: job.attempt,
    lastOrdinal: job.lastOrdinal,
    runId: job.runId,
    failures: job.failures,
    lostRuns: job.lostRuns,
    deadline: job.deadline,
    generation: job.checkpoint.generation,
    segmentCount: job.checkpoint.segmentCount,
    checkpointMs: job.checkpoint.checkpointMs,
    detectedLanguage: job.checkpoint.language,
    cancelRequestedAt: job.cancelRequestedAt,
    updatedAt: at,
    ...timesOf(job, row, at, retentionMs),
    ...admissionOf(job, row, at),
    ...failureOf(job, row, at),
    ...(update.workerId === undefined ? {} : { workerId: update.workerId }),
    ...(update.eventAt === undefined ? {} : { lastEventAt: update.eventAt }),
    ...(update.languageConfidence === undefined ? {} : { languageConfidence: update.languageConfidence }),
    ...(update.billedMs === undefined ? {} : { billedMs: row.billedMs + update.billedMs }),
    ...(update.computeMs === undefined ? {} : { computeMs: row.computeMs + update.computeMs }),
    ...(update.audio === undefined ? {} : audioColumns(update.audio, row)),
  };
}

function timesOf(job: Job, row: JobRow, at: Date, retentionMs: number): Partial<JobRow> {
  const finishedAt = isFinal(job.status) ? (row.finishedAt ?? at) : null;
  return {
    finishedAt,
    expiresAt: finishedAt === null ? null : new Date(finishedAt.getTime() + retentionMs),
    nextAttemptAt: job.status === 'RETRYING' ? job.nextAttemptAt : null,
    startedAt: row.startedAt ?? (job.status === 'PROCESSING' ? at : null),
  };
}

function admissionOf(job: Job, row: JobRow, at: Date): Partial<JobRow> {
  const admitted = job.status === 'PROCESSING' || (job.status === 'QUEUED' && job.admitted);
  if (admitted) return { admittedAt: row.admittedAt ?? at };
  const queuedAt = job.status === 'QUEUED' ? at : row.queuedAt;
  return { admittedAt: null, taskSequence: null, queuedAt };
}

function failureOf(job: Job, row: JobRow, at: Date): Partial<JobRow> {
  if (job.status !== 'FAILED' && job.status !== 'RETRYING') {
    const cleared: Partial<JobRow> = {
      failure: null,
      failureKind: null,
      failureAt: null,
      failureFingerprint: null,
    };
    return { ...cleared, deadLetteredAt: null };
  }
  return {
    failure: job.failure,
    failureKind: job.failure.kind,
    failureAt: row.failure !== null && isFinal(row.status) ? row.failureAt : at,
    failureFingerprint: fingerprintOf(job.failure),
    deadLetteredAt: job.status === 'FAILED' ? job.deadLetteredAt : null,
  };
}

function audioColumns(audio: NonNullable<JobUpdate['audio']>, row: JobRow): Partial<JobRow> {
  return {
    audioDurationMs: audio.durationMs ?? row.audioDurationMs,
    audioCodec: audio.codec ?? row.audioCodec,
    audioSampleRate: audio.sampleRate ?? row.audioSampleRate,
    audioChannels: audio.channels ?? row.audioChannels,
    audioSizeBytes: audio.sizeBytes ?? row.audioSizeBytes,
    audioSha256: audio.sha256 ?? row.audioSha256,
  };
}

/** Failures with one cause share it: the code, and the message without numbers, ids and addresses. */
export function fingerprintOf(failure: Failure): string {
  const cause = failure.message
    .replace(/https?:\/\/\S+/g, '<url>')
    .replace(/[a-z]{3}_[0-9a-f]{32}/g, '<id>')
    .replace(/\d+(\.\d+)?/g, '<n>')
    .slice(0, 200);
  return `${failure.code}: ${cause}`;
}

/** A job as it is inserted; what is not here has its column's default. */
export function rowOf(job: NewJob): Partial<JobRow> & { id: string } {
  const scheduled = job.scheduledFor !== null && job.scheduledFor > job.submittedAt;
  const engine = job.engines[0];
  if (engine === undefined) throw new RangeError('a job has at least one engine');
  return {
    id: job.id,
    tenantId: job.tenantId,
    externalId: job.externalId,
    status: scheduled ? 'SCHEDULED' : 'QUEUED',
    queue: queueOf(engine),
    priority: rankOf(job.priority),
    engines: [...job.engines],
    tags: [...job.tags],
    metadata: job.metadata === null ? null : { ...job.metadata },
    sourceUrl: 'url' in job.source ? job.source.url : null,
    uploadId: 'uploadId' in job.source ? job.source.uploadId : null,
    audioFilename: job.audio.filename,
    audioContentType: job.audio.contentType,
    audioSizeBytes: job.audio.sizeBytes,
    audioSha256: job.audio.sha256,
    ...job.options,
    vocabulary: [...job.options.vocabulary],
    submittedAt: job.submittedAt,
    scheduledFor: job.scheduledFor,
    queuedAt: scheduled ? null : job.submittedAt,
    deadline: job.deadline,
    maxAttempts: job.maxAttempts,
    updatedAt: job.submittedAt,
  };
}

/** A stored job with what the use cases need besides its lifecycle. */
export interface StoredJob {
  readonly job: Job;
  readonly tenantId: string;
  readonly priority: JobPriority;
  readonly queue: QueueName;
  readonly taskSequence: number | null;
  readonly uploadId: string | null;
  readonly cancelReason: string | null;
}
