/** The plain service's tables: what a list, a retry and an audit need, and no more. */
export const PLAIN_TABLES = `
  CREATE TABLE jobs (
    id text PRIMARY KEY,
    url text NOT NULL,
    tags text[] NOT NULL,
    metadata jsonb,
    status text NOT NULL DEFAULT 'QUEUED',
    revision integer NOT NULL DEFAULT 1,
    processed_ms integer NOT NULL DEFAULT 0,
    total_ms integer,
    segment_count integer NOT NULL DEFAULT 0,
    language text,
    failure text,
    submitted_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz
  );
  CREATE INDEX jobs_by_submission ON jobs (submitted_at DESC, id DESC);
  CREATE INDEX jobs_by_status ON jobs (status, submitted_at DESC, id DESC);
  CREATE INDEX jobs_by_tag ON jobs USING gin (tags);
  CREATE TABLE segments (
    job_id text NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    index integer NOT NULL,
    start_ms integer NOT NULL,
    end_ms integer NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (job_id, index)
  );
`;
