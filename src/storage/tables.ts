import { EntitySchema, type EntitySchemaColumnOptions } from 'typeorm';
import type { Segment, Word } from '../domain/transcript.ts';
import type {
  AttemptOutcome,
  Engine,
  Failure,
  JobStatus,
  QueueName,
  TimestampGranularity,
} from '../domain/vocabulary.ts';

/**
 * The tables that are read and written as rows; migrations/ has the whole physical schema with its constraints
 * and indexes. Column types are spelled out, as inferred ones differ between compilers.
 */

const text = (name: string): EntitySchemaColumnOptions => ({ name, type: 'text' });
const integer = (name: string): EntitySchemaColumnOptions => ({ name, type: 'integer' });
const smallint = (name: string): EntitySchemaColumnOptions => ({ name, type: 'smallint' });
const real = (name: string): EntitySchemaColumnOptions => ({ name, type: 'real' });
const json = (name: string): EntitySchemaColumnOptions => ({ name, type: 'jsonb' });
const time = (name: string): EntitySchemaColumnOptions => ({ name, type: 'timestamptz' });
const flag = (name: string): EntitySchemaColumnOptions => ({ name, type: 'boolean' });
const texts = (name: string): EntitySchemaColumnOptions => ({ name, type: 'text', array: true });
const nullable = (column: EntitySchemaColumnOptions): EntitySchemaColumnOptions => ({
  ...column,
  nullable: true,
});
/** Sizes and durations fit a double exactly; node-postgres hands bigint over as text. */
const bigint = (name: string): EntitySchemaColumnOptions => ({
  name,
  type: 'bigint',
  transformer: {
    to: (value: unknown) => value,
    from: (value: string | null) => (value === null ? null : Number(value)),
  },
});

export interface JobRow {
  id: string;
  tenantId: string;
  externalId: string | null;
  status: JobStatus;
  revision: number;
  queue: QueueName;
  /** Index into JOB_PRIORITIES. */
  priority: number;
  engines: Engine[];
  engineIndex: number;
  tags: string[];
  metadata: Record<string, unknown> | null;
  sourceUrl: string | null;
  uploadId: string | null;
  audioFilename: string | null;
  audioContentType: string | null;
  audioCodec: string | null;
  audioSizeBytes: number | null;
  audioDurationMs: number | null;
  audioSha256: string | null;
  audioSampleRate: number | null;
  audioChannels: number | null;
  model: string;
  language: string | null;
  timestamps: TimestampGranularity;
  diarize: boolean;
  translateToEnglish: boolean;
  vocabulary: string[];
  submittedAt: Date;
  scheduledFor: Date | null;
  deadline: Date | null;
  queuedAt: Date | null;
  startedAt: Date | null;
  finishedAt: Date | null;
  expiresAt: Date | null;
  nextAttemptAt: Date | null;
  cancelRequestedAt: Date | null;
  cancelReason: string | null;
  admittedAt: Date | null;
  taskSequence: number | null;
  publication: number;
  attempt: number;
  lastOrdinal: number;
  runId: string | null;
  workerId: string | null;
  lastEventAt: Date | null;
  failures: number;
  lostRuns: number;
  maxAttempts: number;
  generation: number;
  segmentCount: number;
  checkpointMs: number;
  detectedLanguage: string | null;
  languageConfidence: number | null;
  failure: Failure | null;
  failureKind: string | null;
  failureAt: Date | null;
  failureFingerprint: string | null;
  deadLetteredAt: Date | null;
  billedMs: number;
  computeMs: number;
  updatedAt: Date;
}

export const JobTable = new EntitySchema<JobRow>({
  name: 'Job',
  tableName: 'jobs',
  columns: {
    id: { ...text('id'), primary: true },
    tenantId: text('tenant_id'),
    externalId: nullable(text('external_id')),
    status: text('status'),
    revision: integer('revision'),
    queue: text('queue'),
    priority: smallint('priority'),
    engines: texts('engines'),
    engineIndex: smallint('engine_index'),
    tags: texts('tags'),
    metadata: nullable(json('metadata')),
    sourceUrl: nullable(text('source_url')),
    uploadId: nullable(text('upload_id')),
    audioFilename: nullable(text('audio_filename')),
    audioContentType: nullable(text('audio_content_type')),
    audioCodec: nullable(text('audio_codec')),
    audioSizeBytes: nullable(bigint('audio_size_bytes')),
    audioDurationMs: nullable(integer('audio_duration_ms')),
    audioSha256: nullable(text('audio_sha256')),
    audioSampleRate: nullable(integer('audio_sample_rate')),
    audioChannels: nullable(integer('audio_channels')),
    model: text('model'),
    language: nullable(text('language')),
    timestamps: text('timestamps'),
    diarize: flag('diarize'),
    translateToEnglish: flag('translate_to_english'),
    vocabulary: texts('vocabulary'),
    submittedAt: time('submitted_at'),
    scheduledFor: nullable(time('scheduled_for')),
    deadline: nullable(time('deadline')),
    queuedAt: nullable(time('queued_at')),
    startedAt: nullable(time('started_at')),
    finishedAt: nullable(time('finished_at')),
    expiresAt: nullable(time('expires_at')),
    nextAttemptAt: nullable(time('next_attempt_at')),
    cancelRequestedAt: nullable(time('cancel_requested_at')),
    cancelReason: nullable(text('cancel_reason')),
    admittedAt: nullable(time('admitted_at')),
    taskSequence: nullable(bigint('task_sequence')),
    publication: integer('publication'),
    attempt: integer('attempt'),
    lastOrdinal: integer('last_ordinal'),
    runId: nullable(text('run_id')),
    workerId: nullable(text('worker_id')),
    lastEventAt: nullable(time('last_event_at')),
    failures: smallint('failures'),
    lostRuns: smallint('lost_runs'),
    maxAttempts: smallint('max_attempts'),
    generation: integer('generation'),
    segmentCount: integer('segment_count'),
    checkpointMs: integer('checkpoint_ms'),
    detectedLanguage: nullable(text('detected_language')),
    languageConfidence: nullable(real('language_confidence')),
    failure: nullable(json('failure')),
    failureKind: nullable(text('failure_kind')),
    failureAt: nullable(time('failure_at')),
    failureFingerprint: nullable(text('failure_fingerprint')),
    deadLetteredAt: nullable(time('dead_lettered_at')),
    billedMs: bigint('billed_ms'),
    computeMs: bigint('compute_ms'),
    updatedAt: time('updated_at'),
  },
});

export interface AttemptRow {
  jobId: string;
  number: number;
  engine: Engine;
  model: string;
  workerId: string | null;
  runId: string;
  startedAt: Date;
  finishedAt: Date | null;
  outcome: AttemptOutcome | null;
  failure: Failure | null;
  requestId: string | null;
}

export const AttemptTable = new EntitySchema<AttemptRow>({
  name: 'Attempt',
  tableName: 'attempts',
  columns: {
    jobId: { ...text('job_id'), primary: true },
    number: { ...integer('number'), primary: true },
    engine: text('engine'),
    model: text('model'),
    workerId: nullable(text('worker_id')),
    runId: text('run_id'),
    startedAt: time('started_at'),
    finishedAt: nullable(time('finished_at')),
    outcome: nullable(text('outcome')),
    failure: nullable(json('failure')),
    requestId: nullable(text('request_id')),
  },
});

export interface SegmentRow extends Omit<Segment, 'words'> {
  jobId: string;
  words: readonly Word[] | null;
}

export const SegmentTable = new EntitySchema<SegmentRow>({
  name: 'Segment',
  tableName: 'segments',
  columns: {
    jobId: { ...text('job_id'), primary: true },
    index: { ...integer('index'), primary: true },
    startMs: integer('start_ms'),
    endMs: integer('end_ms'),
    text: text('text'),
    speaker: nullable(text('speaker')),
    confidence: nullable(real('confidence')),
    words: nullable(json('words')),
  },
});

export interface QueueRow {
  name: QueueName;
  concurrency: number;
  pausedAt: Date | null;
  pausedBy: string | null;
  pauseReason: string | null;
}

export const QueueTable = new EntitySchema<QueueRow>({
  name: 'Queue',
  tableName: 'queues',
  columns: {
    name: { ...text('name'), primary: true },
    concurrency: integer('concurrency'),
    pausedAt: nullable(time('paused_at')),
    pausedBy: nullable(text('paused_by')),
    pauseReason: nullable(text('pause_reason')),
  },
});

export const TABLES = [JobTable, AttemptTable, SegmentTable, QueueTable] as const;
