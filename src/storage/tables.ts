import { EntitySchema, type EntitySchemaColumnOptions } from 'typeorm';
import type { Segment } from '../domain/transcript.ts';
import type {
  AttemptOutcome,
  Engine,
  Failure,
  FailureKind,
  JobStatus,
  QueueName,
  TimestampGranularity,
} from '../domain/vocabulary.ts';

/**
 * The tables that are read and written as rows; the types of the rows follow from the columns. The whole physical
 * schema, with its constraints and indexes, is in migrations/. Column types are spelled out, as inferred ones differ
 * between compilers.
 */

/** A column whose rows hold a `Value`; `holds` exists for the compiler alone. */
type Column<Value> = EntitySchemaColumnOptions & { readonly holds?: Value };

type RowOf<Columns> = {
  [Property in keyof Columns]: Columns[Property] extends Column<infer Value> ? Value : never;
};

const text = <Value extends string = string>(name: string): Column<Value> => ({ name, type: 'text' });
const texts = <Value extends string = string>(name: string): Column<Value[]> => ({
  name,
  type: 'text',
  array: true,
});
const integer = (name: string): Column<number> => ({ name, type: 'integer' });
const smallint = (name: string): Column<number> => ({ name, type: 'smallint' });
const real = (name: string): Column<number> => ({ name, type: 'real' });
const json = <Value>(name: string): Column<Value> => ({ name, type: 'jsonb' });
const time = (name: string): Column<Date> => ({ name, type: 'timestamptz' });
const flag = (name: string): Column<boolean> => ({ name, type: 'boolean' });
/** Sizes and durations fit a double exactly; node-postgres returns bigint as text. */
const bigint = (name: string): Column<number> => ({
  name,
  type: 'bigint',
  transformer: {
    to: (value: unknown) => value,
    from: (value: string | null) => (value === null ? null : Number(value)),
  },
});
const primary = <Value>(column: Column<Value>): Column<Value> => ({ ...column, primary: true });
const nullable = <Value>(column: Column<Value>): Column<Value | null> => ({ ...column, nullable: true });

const JOB_COLUMNS = {
  id: primary(text('id')),
  tenantId: text('tenant_id'),
  externalId: nullable(text('external_id')),
  status: text<JobStatus>('status'),
  revision: integer('revision'),
  queue: text<QueueName>('queue'),
  /** Index into JOB_PRIORITIES. */
  priority: smallint('priority'),
  engines: texts<Engine>('engines'),
  engineIndex: smallint('engine_index'),
  tags: texts('tags'),
  metadata: nullable(json<Record<string, unknown>>('metadata')),
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
  timestamps: text<TimestampGranularity>('timestamps'),
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
  failure: nullable(json<Failure>('failure')),
  failureKind: nullable(text<FailureKind>('failure_kind')),
  failureAt: nullable(time('failure_at')),
  failureFingerprint: nullable(text('failure_fingerprint')),
  deadLetteredAt: nullable(time('dead_lettered_at')),
  billedMs: bigint('billed_ms'),
  computeMs: bigint('compute_ms'),
  updatedAt: time('updated_at'),
};
export type JobRow = RowOf<typeof JOB_COLUMNS>;

export const JobTable = new EntitySchema<JobRow>({
  name: 'Job',
  tableName: 'jobs',
  columns: JOB_COLUMNS,
});

const ATTEMPT_COLUMNS = {
  jobId: primary(text('job_id')),
  number: primary(integer('number')),
  engine: text<Engine>('engine'),
  model: text('model'),
  workerId: nullable(text('worker_id')),
  runId: text('run_id'),
  startedAt: time('started_at'),
  finishedAt: nullable(time('finished_at')),
  outcome: nullable(text<AttemptOutcome>('outcome')),
  failure: nullable(json<Failure>('failure')),
  requestId: nullable(text('request_id')),
};
export type AttemptRow = RowOf<typeof ATTEMPT_COLUMNS>;

export const AttemptTable = new EntitySchema<AttemptRow>({
  name: 'Attempt',
  tableName: 'attempts',
  columns: ATTEMPT_COLUMNS,
});

const SEGMENT_COLUMNS = {
  jobId: primary(text('job_id')),
  index: primary(integer('index')),
  startMs: integer('start_ms'),
  endMs: integer('end_ms'),
  text: text('text'),
  speaker: nullable(text('speaker')),
  confidence: nullable(real('confidence')),
  words: nullable(json<NonNullable<Segment['words']>>('words')),
};
export type SegmentRow = RowOf<typeof SEGMENT_COLUMNS>;

export const SegmentTable = new EntitySchema<SegmentRow>({
  name: 'Segment',
  tableName: 'segments',
  columns: SEGMENT_COLUMNS,
});

const QUEUE_COLUMNS = {
  name: primary(text<QueueName>('name')),
  concurrency: integer('concurrency'),
  pausedAt: nullable(time('paused_at')),
  pausedBy: nullable(text('paused_by')),
  pauseReason: nullable(text('pause_reason')),
};
export type QueueRow = RowOf<typeof QUEUE_COLUMNS>;

export const QueueTable = new EntitySchema<QueueRow>({
  name: 'Queue',
  tableName: 'queues',
  columns: QUEUE_COLUMNS,
});

export const TABLES = [JobTable, AttemptTable, SegmentTable, QueueTable] as const;
