import { type AdmittedJob, optionsFor } from '../domain/admitted-job.ts';
import { fingerprintOf } from '../domain/failures.ts';
import { admissionOf, engineFor, type Job, type JobFields } from '../domain/job.ts';
import type { JobUpdate } from '../domain/job-update.ts';
import { submit } from '../domain/lifecycle.ts';
import type { NewJob } from '../domain/new-job.ts';
import { optionsIn } from '../domain/transcription-options.ts';
import { JOB_PRIORITIES, type JobPriority, queueOf } from '../domain/vocabulary.ts';
import type { JobRow } from './tables.ts';

/** Jobs to rows of `jobs` and back. Nothing is decided here. */

export function priorityOf(rank: number): JobPriority {
  const priority = JOB_PRIORITIES[rank];
  if (priority === undefined) throw new RangeError(`no priority has rank ${rank}`);
  return priority;
}

export const rankOf = (priority: JobPriority): number => JOB_PRIORITIES.indexOf(priority);

/** The CHECK constraints of the table guarantee what each status needs. */
function required<Value>(value: Value | null, row: JobRow, column: string): Value {
  if (value === null) throw new Error(`job ${row.id} is ${row.status} without ${column}`);
  return value;
}

export function toJob(row: JobRow): Job {
  const { status, taskSequence, failureAt, finishedAt, expiresAt, deadLetteredAt } = row;
  const fields = fieldsIn(row);
  const admission = (admittedAt: Date) => ({ admission: { admittedAt, taskSequence } });
  const failure = () => ({
    failure: required(row.failure, row, 'failure'),
    failureAt: required(failureAt, row, 'failure_at'),
  });
  const end = () => ({
    finishedAt: required(finishedAt, row, 'finished_at'),
    expiresAt: required(expiresAt, row, 'expires_at'),
  });
  switch (status) {
    case 'SCHEDULED':
      return { ...fields, status, scheduledFor: required(row.scheduledFor, row, 'scheduled_for') };
    case 'QUEUED':
      return {
        ...fields,
        status,
        ...(row.admittedAt === null ? { admission: null } : admission(row.admittedAt)),
      };
    case 'PROCESSING':
      return {
        ...{ ...fields, status, runId: required(row.runId, row, 'run_id') },
        ...admission(required(row.admittedAt, row, 'admitted_at')),
      };
    case 'RETRYING':
      return {
        ...fields,
        status,
        nextAttemptAt: required(row.nextAttemptAt, row, 'next_attempt_at'),
        ...failure(),
      };
    case 'COMPLETED':
    case 'CANCELED':
      return { ...fields, status, ...end() };
    case 'FAILED':
      return { ...fields, status, ...end(), ...failure(), deadLetteredAt };
  }
}

function fieldsIn(row: JobRow): JobFields {
  const { id, engines, engineIndex, attempt, lastOrdinal, runId, failures, lostRuns, maxAttempts } = row;
  const { cancelRequestedAt, deadline, publication, queuedAt, startedAt } = row;
  return {
    ...{ id, engines, engineIndex, attempt, lastOrdinal, runId, failures, lostRuns, maxAttempts },
    ...{ cancelRequestedAt, deadline, publication, queuedAt, startedAt },
    checkpoint: checkpointOf(row),
  };
}

function checkpointOf(row: JobRow): Job['checkpoint'] {
  const { generation, segmentCount, checkpointMs } = row;
  return { generation, segmentCount, checkpointMs, language: row.detectedLanguage };
}

/** The columns that hold the state of a job. */
export function columnsOf(job: Job) {
  const { status, engineIndex, attempt, lastOrdinal, runId, failures, lostRuns } = job;
  const { deadline, publication, queuedAt, startedAt, cancelRequestedAt } = job;
  const { generation, segmentCount, checkpointMs, language: detectedLanguage } = job.checkpoint;
  const admission = admissionOf(job);
  const failure = 'failure' in job ? job.failure : null;
  return {
    ...{ status, engineIndex, attempt, lastOrdinal, runId, failures, lostRuns },
    ...{ deadline, publication, queuedAt, startedAt, cancelRequestedAt },
    ...{ generation, segmentCount, checkpointMs, detectedLanguage },
    queue: queueOf(engineFor(job)),
    admittedAt: admission?.admittedAt ?? null,
    taskSequence: admission?.taskSequence ?? null,
    nextAttemptAt: 'nextAttemptAt' in job ? job.nextAttemptAt : null,
    finishedAt: 'finishedAt' in job ? job.finishedAt : null,
    expiresAt: 'expiresAt' in job ? job.expiresAt : null,
    failure,
    failureKind: failure === null ? null : failure.kind,
    failureFingerprint: failure === null ? null : fingerprintOf(failure),
    failureAt: 'failureAt' in job ? job.failureAt : null,
    deadLetteredAt: 'deadLetteredAt' in job ? job.deadLetteredAt : null,
  } satisfies Partial<JobRow>;
}

/** The columns that an update sets, besides `revision`; what it leaves out keeps its value. */
export function columnsOfUpdate(update: JobUpdate, row: JobRow) {
  const { workerId = row.workerId, eventAt: lastEventAt = row.lastEventAt } = update;
  const { cancelReason = row.cancelReason, model = row.model } = update;
  const { languageConfidence = row.languageConfidence, billedMs = 0, computeMs = 0, audio } = update;
  return {
    ...columnsOf(update.job),
    ...{ workerId, lastEventAt, cancelReason, model, languageConfidence },
    updatedAt: update.at,
    priority: update.priority === undefined ? row.priority : rankOf(update.priority),
    billedMs: row.billedMs + billedMs,
    computeMs: row.computeMs + computeMs,
    audioDurationMs: audio?.durationMs ?? row.audioDurationMs,
    audioCodec: audio?.codec ?? row.audioCodec,
    audioSampleRate: audio?.sampleRate ?? row.audioSampleRate,
    audioChannels: audio?.channels ?? row.audioChannels,
    audioSizeBytes: audio?.sizeBytes ?? row.audioSizeBytes,
    audioSha256: audio?.sha256 ?? row.audioSha256,
  } satisfies Partial<JobRow>;
}

/** A job as it is inserted; what is not here has its column's default. */
export function rowOf(job: NewJob) {
  return {
    ...columnsOf(submit(job)),
    id: job.id,
    tenantId: job.tenantId,
    externalId: job.externalId,
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
    maxAttempts: job.maxAttempts,
    updatedAt: job.submittedAt,
  } satisfies Partial<JobRow>;
}

/** A stored job with what the use cases need besides its state. */
export interface StoredJob {
  readonly job: Job;
  readonly tenantId: string;
  readonly cancelReason: string | null;
}

export function toStoredJob(row: JobRow): StoredJob {
  return { job: toJob(row), tenantId: row.tenantId, cancelReason: row.cancelReason };
}

export function toAdmittedJob(row: JobRow): AdmittedJob {
  return {
    id: row.id,
    tenantId: row.tenantId,
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
    options: optionsFor(row.engineIndex, optionsIn(row)),
    resume: checkpointOf(row),
    deadline: row.deadline,
  };
}
