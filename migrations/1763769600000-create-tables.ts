import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The first schema. */
export class CreateTables1763769600000 implements MigrationInterface {
  readonly name = 'CreateTables1763769600000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('Migrations go forward only: restore a backup instead.');
  }
}

const STATEMENTS = [
  `CREATE TABLE tenants (
    id text PRIMARY KEY,
    name text NOT NULL,
    -- Jobs of the tenant that may run at the same time; null means no limit of its own.
    max_running_jobs integer,
    -- Engines of a job that names none, in order; null means the server's default.
    default_engines text[],
    created_at timestamptz NOT NULL DEFAULT now()
  )`,
  `INSERT INTO tenants (id, name) VALUES ('ten_default', 'Default')`,

  `CREATE TABLE jobs (
    id text PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenants (id),
    external_id text,
    status text NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    queue text NOT NULL,
    priority smallint NOT NULL,
    engines text[] NOT NULL,
    engine_index smallint NOT NULL DEFAULT 0,
    tags text[] NOT NULL DEFAULT '{}',
    metadata jsonb,

    source_url text,
    upload_id text,
    audio_filename text,
    audio_content_type text,
    audio_codec text,
    audio_size_bytes bigint,
    audio_duration_ms integer,
    audio_sha256 text,
    audio_sample_rate integer,
    audio_channels integer,

    model text NOT NULL,
    language text,
    timestamps text NOT NULL,
    diarize boolean NOT NULL,
    translate_to_english boolean NOT NULL,
    vocabulary text[] NOT NULL,

    submitted_at timestamptz NOT NULL,
    scheduled_for timestamptz,
    deadline timestamptz,
    queued_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    expires_at timestamptz,
    next_attempt_at timestamptz,
    cancel_requested_at timestamptz,
    cancel_reason text,

    -- An admitted job has a task in JetStream (task_sequence, once known).
    admitted_at timestamptz,
    task_sequence bigint,
    publication integer NOT NULL DEFAULT 0,

    -- The last attempt that a worker started, and the last event of it that was applied.
    attempt integer NOT NULL DEFAULT 0,
    last_ordinal integer NOT NULL DEFAULT 0,
    run_id text,
    worker_id text,
    last_event_at timestamptz,
    failures smallint NOT NULL DEFAULT 0,
    lost_runs smallint NOT NULL DEFAULT 0,
    max_attempts smallint NOT NULL,

    generation integer NOT NULL DEFAULT 0,
    segment_count integer NOT NULL DEFAULT 0,
    checkpoint_ms integer NOT NULL DEFAULT 0,
    detected_language text,
    language_confidence real,

    failure jsonb,
    failure_kind text,
    failure_at timestamptz,
    failure_fingerprint text,
    dead_lettered_at timestamptz,

    billed_ms bigint NOT NULL DEFAULT 0,
    compute_ms bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL,

    CONSTRAINT jobs_status_known CHECK (status IN
      ('SCHEDULED','QUEUED','PROCESSING','RETRYING','COMPLETED','FAILED','CANCELED')),
    CONSTRAINT jobs_one_source CHECK ((source_url IS NULL) <> (upload_id IS NULL)),
    CONSTRAINT jobs_finished_iff_final CHECK
      ((finished_at IS NOT NULL) = (status IN ('COMPLETED','FAILED','CANCELED'))),
    CONSTRAINT jobs_expires_iff_final CHECK ((expires_at IS NULL) = (finished_at IS NULL)),
    CONSTRAINT jobs_retrying_has_time CHECK ((status = 'RETRYING') = (next_attempt_at IS NOT NULL)),
    CONSTRAINT jobs_scheduled_has_time CHECK (status <> 'SCHEDULED' OR scheduled_for IS NOT NULL),
    CONSTRAINT jobs_failed_has_failure CHECK
      (status NOT IN ('FAILED','RETRYING') OR (failure IS NOT NULL AND failure_at IS NOT NULL)),
    CONSTRAINT jobs_processing_has_run CHECK (status <> 'PROCESSING' OR (run_id IS NOT NULL AND attempt > 0)),
    CONSTRAINT jobs_admitted_is_active CHECK (admitted_at IS NULL OR status IN ('QUEUED','PROCESSING')),
    CONSTRAINT jobs_processing_is_admitted CHECK (status <> 'PROCESSING' OR admitted_at IS NOT NULL),
    CONSTRAINT jobs_dead_is_failed CHECK (dead_lettered_at IS NULL OR status = 'FAILED')
  )`,
  `CREATE UNIQUE INDEX jobs_external_id ON jobs (tenant_id, external_id) WHERE external_id IS NOT NULL`,
  `CREATE INDEX jobs_by_submission ON jobs (tenant_id, submitted_at DESC, id DESC)`,
  `CREATE INDEX jobs_by_status ON jobs (tenant_id, status, submitted_at DESC, id DESC)`,
  // Lists read rows with and without a value separately, so that these serve both directions with nulls last.
  `CREATE INDEX jobs_by_start ON jobs (tenant_id, started_at DESC NULLS LAST, id DESC)`,
  `CREATE INDEX jobs_by_finish ON jobs (tenant_id, finished_at DESC NULLS LAST, id DESC)`,
  `CREATE INDEX jobs_by_duration ON jobs (tenant_id, audio_duration_ms DESC NULLS LAST, id DESC)`,
  `CREATE INDEX jobs_by_tag ON jobs USING gin (tags)`,
  `CREATE INDEX jobs_by_filename ON jobs (tenant_id, lower(audio_filename) text_pattern_ops)`,
  // For admission: the oldest waiting jobs of each tenant, by queue and priority.
  `CREATE INDEX jobs_waiting ON jobs (queue, priority DESC, tenant_id, queued_at, id)
    WHERE status = 'QUEUED' AND admitted_at IS NULL`,
  `CREATE INDEX jobs_admitted ON jobs (queue, tenant_id, status) WHERE admitted_at IS NOT NULL`,
  // These two and jobs_dead include the queue, so that counts are index-only.
  `CREATE INDEX jobs_due ON jobs (next_attempt_at) INCLUDE (queue) WHERE status = 'RETRYING'`,
  `CREATE INDEX jobs_scheduled ON jobs (scheduled_for) INCLUDE (queue) WHERE status = 'SCHEDULED'`,
  // Without running jobs: a run ends at its deadline by itself.
  `CREATE INDEX jobs_deadline ON jobs (deadline, id)
    WHERE deadline IS NOT NULL AND status IN ('SCHEDULED','QUEUED','RETRYING')`,
  `CREATE INDEX jobs_cancel_pending ON jobs (id)
    WHERE cancel_requested_at IS NOT NULL AND status IN ('QUEUED','PROCESSING')`,
  `CREATE INDEX jobs_dead ON jobs (tenant_id, finished_at DESC NULLS LAST, id DESC) INCLUDE (queue)
    WHERE dead_lettered_at IS NOT NULL`,
  `CREATE INDEX jobs_expiring ON jobs (expires_at) WHERE expires_at IS NOT NULL`,
  `CREATE INDEX jobs_by_upload ON jobs (upload_id) WHERE upload_id IS NOT NULL`,

  `CREATE TABLE attempts (
    job_id text NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number integer NOT NULL,
    engine text NOT NULL,
    model text NOT NULL,
    worker_id text,
    run_id text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    outcome text,
    failure jsonb,
    request_id text,
    PRIMARY KEY (job_id, number),
    CONSTRAINT attempts_outcome_iff_finished CHECK ((outcome IS NULL) = (finished_at IS NULL))
  )`,
  `CREATE INDEX attempts_by_worker ON attempts (worker_id, started_at DESC)`,

  `CREATE TABLE segments (
    job_id text NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    index integer NOT NULL,
    start_ms integer NOT NULL,
    end_ms integer NOT NULL,
    text text NOT NULL,
    speaker text,
    confidence real,
    words jsonb,
    PRIMARY KEY (job_id, index),
    CONSTRAINT segments_time_forward CHECK (end_ms >= start_ms)
  )`,

  `CREATE TABLE uploads (
    id text PRIMARY KEY,
    tenant_id text NOT NULL REFERENCES tenants (id),
    filename text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text,
    status text NOT NULL,
    stored_sha256 text,
    idempotency_key text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    receiving_since timestamptz,
    stored_at timestamptz,
    CONSTRAINT uploads_status_known CHECK (status IN ('PENDING','RECEIVING','STORED'))
  )`,
  `CREATE UNIQUE INDEX uploads_idempotency ON uploads (tenant_id, idempotency_key)`,
  `CREATE INDEX uploads_by_expiry ON uploads (expires_at)`,

  // The idempotency keys of mutations, with the job that each created or changed.
  `CREATE TABLE idempotency_keys (
    tenant_id text NOT NULL,
    operation text NOT NULL,
    key text NOT NULL,
    input_hash text NOT NULL,
    job_id text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, operation, key)
  )`,
  `CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at)`,

  `CREATE TABLE queues (
    name text PRIMARY KEY,
    concurrency integer NOT NULL DEFAULT 100,
    paused_at timestamptz,
    paused_by text,
    pause_reason text,
    CONSTRAINT queues_concurrency_range CHECK (concurrency BETWEEN 0 AND 1000)
  )`,
  `INSERT INTO queues (name) VALUES ('whisper'), ('deepgram')`,

  // Models that workers announced; kept so that a submit can be checked while no worker is up.
  `CREATE TABLE models (
    engine text NOT NULL,
    name text NOT NULL,
    languages text[] NOT NULL,
    is_default boolean NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (engine, name)
  )`,

  // The projector's place in EVENTS: one row, changed in the transaction that applies the events.
  `CREATE TABLE projector_offset (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    stream_epoch text NOT NULL,
    sequence bigint NOT NULL,
    message_id text
  )`,
  `CREATE TABLE event_quarantine (
    stream_epoch text NOT NULL,
    sequence bigint NOT NULL,
    job_id text NOT NULL,
    -- Whether the chain of the job has got its end, which stops a worker that goes on.
    chain_ended boolean NOT NULL DEFAULT false,
    data bytea NOT NULL,
    error text NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream_epoch, sequence)
  )`,
  `CREATE INDEX event_quarantine_open ON event_quarantine (job_id) WHERE NOT chain_ended`,
  // The leader. An advisory lock decides; by this row other servers notice a leader that hangs, and depose it.
  `CREATE TABLE leader (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    server_id text NOT NULL,
    backend_pid integer NOT NULL,
    seen_at timestamptz NOT NULL
  )`,
  // Secrets that all servers share.
  `CREATE TABLE secrets (
    name text PRIMARY KEY,
    value text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  )`,
];
