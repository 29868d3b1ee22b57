import pg from 'pg';

/**
 * Rows as a busy installation has them, by SQL on the migrated schema. A change of the tables changes this file and
 * no other of the benchmark.
 */

/** Of the API's own tenant; the others share the rest. */
const OWN_SHARE = 0.9;

/** How often each value occurs; what is left over goes to the last. */
type Shares = Readonly<Record<string, number>>;

const STATUSES: Shares = {
  COMPLETED: 0.9,
  FAILED: 0.035,
  CANCELED: 0.0148,
  SCHEDULED: 0.005,
  RETRYING: 0.005,
  PROCESSING: 0.0002,
  QUEUED: 0.04,
};
const ENGINES: Shares = { '{WHISPER}': 0.65, '{WHISPER,DEEPGRAM}': 0.15, '{DEEPGRAM}': 0.2 };
const PRIORITIES: Shares = { 1: 0.85, 0: 0.08, 2: 0.05, 3: 0.02 };
const MODELS: Shares = {
  default: 0.5,
  'base.en': 0.3,
  small: 0.15,
  'large-v3': 0.049,
  'medium.en': 0.001,
};
const LANGUAGES: Shares = {
  en: 0.7,
  de: 0.1,
  fr: 0.06,
  es: 0.06,
  it: 0.03,
  pt: 0.03,
  nl: 0.01,
  ja: 0.009,
  cy: 0.001,
};
const FAILURES: Shares = {
  FETCH: 0.4,
  AUDIO: 0.25,
  NO_SPEECH: 0.15,
  TIMEOUT: 0.08,
  ENGINE_UNAVAILABLE: 0.05,
  WORKER_LOST: 0.04,
  INTERNAL: 0.02,
  OUT_OF_MEMORY: 0.009,
  UNSUPPORTED: 0.001,
};
const RETRYABLE = ['TIMEOUT', 'ENGINE_UNAVAILABLE', 'WORKER_LOST', 'INTERNAL', 'OUT_OF_MEMORY'];
/** The first halves of file names; each is a prefix to search for. */
const NAMES: Shares = { interview: 0.4, meeting: 0.3, podcast: 0.2, lecture: 0.0999, zeppelin: 0.0001 };

/** An SQL expression that makes the number `by`, from 0 to 1, one of the values. */
function choice(by: string, shares: Shares): string {
  const values = Object.keys(shares).map((value) => `'${value}'`);
  let sum = 0;
  const bounds = Object.values(shares).map((share) => {
    sum += share;
    return sum.toFixed(4);
  });
  return `(ARRAY[${values}])[1 + width_bucket(${by}::numeric, ARRAY[${bounds.slice(0, -1)}]::numeric[])]`;
}

const TENANTS = `INSERT INTO tenants (id, name, max_running_jobs)
  SELECT 'ten_' || lpad(n::text, 4, '0'), 'Tenant ' || n, CASE WHEN n % 10 = 0 THEN 5 END
    FROM generate_series(1, $1::int - 1) AS n`;

/** One draw for each thing that varies; `age` is how long ago the job was submitted, at most 29 days. */
const DRAWS = `SELECT n, random() AS r_status, random() AS r_engine, random() AS r_priority, random() AS r_model,
    random() AS r_language, random() AS r_failure, random() AS r_name, random() AS r_worker, random() AS r_length,
    random() AS r_tag, random() AS r_tags, random() AS r_source, random() AS r_wait,
    CASE WHEN random() < ${OWN_SHARE} THEN 'ten_default'
      ELSE 'ten_' || lpad((1 + floor(power(random(), 2) * ($2::int - 1)))::int::text, 4, '0') END AS tenant_id,
    random() * interval '29 days' AS age
  FROM generate_series(1, $1::int) AS n`;

const CHOICES = `SELECT d.*, ${choice('r_status', STATUSES)} AS status, (${choice('r_engine', ENGINES)})::text[] AS engines,
    (${choice('r_priority', PRIORITIES)})::smallint AS priority, ${choice('r_model', MODELS)} AS model,
    ${choice('r_language', LANGUAGES)} AS spoken, ${choice('r_failure', FAILURES)} AS kind,
    (5000 * exp(r_length * 7))::int AS length_ms,
    now() - age AS submitted_at, now() - age + r_wait * interval '10 minutes' AS began_at
  FROM draws AS d`;

const JOBS = `WITH draws AS MATERIALIZED (${DRAWS}), choices AS MATERIALIZED (${CHOICES}), rows AS (
    SELECT c.*, status IN ('COMPLETED', 'FAILED', 'CANCELED') AS is_final,
      status IN ('COMPLETED', 'FAILED', 'RETRYING', 'PROCESSING') OR (status = 'CANCELED' AND n % 2 = 0) AS has_begun,
      status IN ('FAILED', 'RETRYING') AS has_failed, kind = ANY ($3) AS retryable
    FROM choices AS c)
  INSERT INTO jobs (id, tenant_id, external_id, status, revision, queue, priority, engines, tags, metadata,
    source_url, upload_id, audio_filename, audio_content_type, audio_duration_ms, audio_size_bytes,
    model, language, timestamps, diarize, translate_to_english, vocabulary,
    submitted_at, scheduled_for, queued_at, started_at, finished_at, expires_at, next_attempt_at,
    admitted_at, task_sequence, publication, attempt, run_id, worker_id, last_event_at, failures, max_attempts,
    segment_count, detected_language, failure, failure_kind, failure_at, failure_fingerprint, dead_lettered_at,
    billed_ms, compute_ms, updated_at)
  SELECT 'job_' || replace(uuidv7(-age)::text, '-', ''), tenant_id,
    CASE WHEN n % 2 = 0 THEN 'order-' || n END, status, CASE WHEN has_begun THEN 4 ELSE 1 END,
    lower(engines[1]), priority, engines,
    CASE WHEN r_tags < 0.4 THEN '{}' ELSE ARRAY['team-' || floor(power(r_tag, 3) * 400)] END
      || CASE WHEN r_tags > 0.9 THEN ARRAY['batch-' || n % 20000] ELSE '{}' END,
    CASE WHEN n % 3 = 0 THEN jsonb_build_object('order', n, 'source', 'import') END,
    CASE WHEN r_source < 0.7 THEN 'https://audio.example.com/' || n || '.mp3' END,
    CASE WHEN r_source >= 0.7 THEN 'upl_' || md5(n::text) END,
    CASE WHEN r_source >= 0.7 THEN initcap(${choice('r_name', NAMES)}) || ' ' || n || '.mp3' END, 'audio/mpeg',
    CASE WHEN has_begun THEN length_ms END, length_ms::bigint * 16,
    model, CASE WHEN n % 5 < 2 THEN spoken END, 'SEGMENT', n % 20 = 0, n % 50 = 0, '{}',
    submitted_at, CASE WHEN status = 'SCHEDULED' THEN now() + age + interval '1 day' END,
    CASE WHEN status <> 'SCHEDULED' THEN submitted_at END, CASE WHEN has_begun THEN began_at END,
    CASE WHEN is_final THEN began_at + length_ms * interval '0.1 ms' END,
    CASE WHEN is_final THEN now() + interval '30 days' END,
    CASE WHEN status = 'RETRYING' THEN now() + age + interval '1 day' END,
    CASE WHEN status = 'PROCESSING' THEN now() END, CASE WHEN status = 'PROCESSING' THEN n END,
    has_begun::int, has_begun::int, CASE WHEN has_begun THEN 'run_' || n END,
    CASE WHEN has_begun THEN 'wrk_' || md5(floor(power(r_worker, 4) * 60)::text) END,
    CASE WHEN has_begun THEN now() END, CASE WHEN has_failed THEN 1 ELSE 0 END, 3,
    CASE WHEN status = 'COMPLETED' AND n % 20 = 0 THEN 3 ELSE 0 END, CASE WHEN status = 'COMPLETED' THEN spoken END,
    CASE WHEN has_failed THEN jsonb_build_object('kind', kind, 'code', kind || '_' || n % 7, 'retryable', retryable,
      'message', 'It failed for reason ' || n % 7 || '.') END,
    CASE WHEN has_failed THEN kind END, CASE WHEN has_failed THEN began_at END,
    CASE WHEN has_failed THEN kind || '_' || n % 7 || ': It failed for reason <n>.' END,
    CASE WHEN status = 'FAILED' AND retryable THEN began_at END,
    CASE WHEN status = 'COMPLETED' THEN length_ms ELSE 0 END, CASE WHEN has_begun THEN length_ms / 10 ELSE 0 END, now()
  FROM rows`;

const ATTEMPTS = `INSERT INTO attempts
    (job_id, number, engine, model, worker_id, run_id, started_at, finished_at, outcome, failure)
  SELECT id, 1, engines[1], model, worker_id, run_id, started_at, CASE status WHEN 'RETRYING' THEN started_at + interval '1 minute' ELSE finished_at END,
    CASE status WHEN 'PROCESSING' THEN NULL WHEN 'RETRYING' THEN 'FAILED' ELSE status END, failure
  FROM jobs WHERE attempt > 0`;

const SEGMENTS = `INSERT INTO segments (job_id, index, start_ms, end_ms, text)
  SELECT id, index, index * 1000, index * 1000 + 900, 'Segment ' || index || ' of a recording.'
    FROM jobs, generate_series(0, segment_count - 1) AS index WHERE segment_count > 0`;

/** Jobs of which none has begun, evenly over all tenants, for admission to choose from. */
const WAITING = `INSERT INTO jobs (id, tenant_id, status, queue, priority, engines, source_url, model, timestamps,
    diarize, translate_to_english, vocabulary, submitted_at, queued_at, max_attempts, updated_at)
  SELECT 'job_' || replace(uuidv7(-age)::text, '-', ''), CASE WHEN n % $2::int = 0 THEN 'ten_default'
      ELSE 'ten_' || lpad((n % $2::int)::text, 4, '0') END,
    'QUEUED', 'whisper', (${choice('random()', PRIORITIES)})::smallint, '{WHISPER}',
    'https://audio.example.com/' || n || '.mp3', 'default', 'SEGMENT', false, false, '{}', now() - age, now() - age, 3, now()
  FROM (SELECT n, random() * interval '1 day' AS age FROM generate_series(1, $1::int) AS n) AS draws`;

/** So that the jobs that wait go on waiting. */
export const PAUSE_WHISPER = `UPDATE queues SET paused_at = now(), paused_by = 'bench', pause_reason = 'bench'
  WHERE name = 'whisper'`;

export interface FillSize {
  readonly jobs: number;
  readonly tenants: number;
}

/** A million jobs of every kind, their attempts, and transcripts of some. */
export function fillJobs(databaseUrl: string, { jobs, tenants }: FillSize): Promise<void> {
  return filling(databaseUrl, async (client) => {
    await client.query(TENANTS, [tenants]);
    await client.query(JOBS, [jobs, tenants, RETRYABLE]);
    await client.query(ATTEMPTS);
    await client.query(SEGMENTS);
  });
}

/** Nothing but jobs that wait in the queue `whisper`. */
export function fillWaiting(databaseUrl: string, { jobs, tenants }: FillSize): Promise<void> {
  return filling(databaseUrl, async (client) => {
    await client.query(TENANTS, [tenants]);
    await client.query(WAITING, [jobs, tenants]);
  });
}

/** The same rows every time. Indexes are created again after the rows, which takes a tenth of the time. */
async function filling(databaseUrl: string, fill: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(
      `SET synchronous_commit = off; SET maintenance_work_mem = '512MB'; SET work_mem = '256MB'`,
    );
    await client.query('SELECT setseed(0.5)');
    const indexes = await dropIndexes(client);
    await fill(client);
    for (const index of indexes) await client.query(index);
    await client.query('VACUUM ANALYZE');
    await client.query('CHECKPOINT');
  } finally {
    await client.end();
  }
}

/** @returns the statements that make them again. */
async function dropIndexes(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
       FROM pg_index WHERE indrelid IN ('jobs'::regclass, 'attempts'::regclass, 'segments'::regclass)
        AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)`,
  );
  for (const { name } of rows) await client.query(`DROP INDEX ${name}`);
  return rows.map(({ definition }) => definition);
}
