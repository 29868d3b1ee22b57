import type { JobsOptions, Queue } from 'bullmq';
import type pg from 'pg';
import { v7 as uuidv7 } from 'uuid';

export interface SubmitInput {
  readonly audio: { readonly url: string };
  readonly tags?: readonly string[] | null;
  readonly metadata?: Readonly<Record<string, unknown>> | null;
}

export interface PlainSegment {
  readonly index: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
}

export interface PlainJob {
  readonly id: string;
  readonly status: 'QUEUED' | 'PROCESSING' | 'COMPLETED' | 'FAILED';
  readonly revision: number;
  readonly progress: PlainProgress;
}

export interface PlainProgress {
  readonly fraction: number;
  readonly processedSeconds: number;
  readonly totalSeconds: number | null;
  readonly segmentCount: number;
}

/** What the queue carries to a worker. */
export interface PlainTask {
  readonly jobId: string;
  readonly url: string;
}

export const PLAIN_QUEUE = 'transcribe';

/** Retries as the product has them; Redis forgets what is completed, since Postgres has it. */
const TASK_OPTIONS: JobsOptions = {
  attempts: 3,
  backoff: { type: 'exponential', delay: 5000 },
  removeOnComplete: true,
  removeOnFail: 1000,
};

/** Jobs the plain way: a row in Postgres, then a task in Redis. */
export class PlainJobs {
  readonly #pool: pg.Pool;
  readonly #queue: Queue<PlainTask>;

  constructor(pool: pg.Pool, queue: Queue<PlainTask>) {
    this.#pool = pool;
    this.#queue = queue;
  }

  async submit(input: SubmitInput): Promise<PlainJob> {
    const [job] = await this.submitMany([input]);
    if (job === undefined) throw new Error('the row was not inserted');
    return job;
  }

  async submitMany(inputs: readonly SubmitInput[]): Promise<PlainJob[]> {
    if (inputs.length === 0) return [];
    const ids = inputs.map(() => `job_${uuidv7().replaceAll('-', '')}`);
    const values = inputs.map((_, at) => `($${4 * at + 1}, $${4 * at + 2}, $${4 * at + 3}, $${4 * at + 4})`);
    const { rows } = await this.#pool.query<JobRow>(
      `INSERT INTO jobs (id, url, tags, metadata) VALUES ${values.join(', ')} RETURNING ${COLUMNS}`,
      inputs.flatMap(({ audio, tags, metadata }, at) => [ids[at], audio.url, tags ?? [], metadata ?? null]),
    );
    const tasks = inputs.map(({ audio }, at) => ({
      name: 'transcribe',
      data: { jobId: ids[at] as string, url: audio.url },
      opts: { ...TASK_OPTIONS, jobId: ids[at] as string },
    }));
    const [only] = tasks;
    if (only !== undefined && tasks.length === 1) await this.#queue.add(only.name, only.data, only.opts);
    else await this.#queue.addBulk(tasks);
    return rows.map(toJob);
  }

  async find(id: string): Promise<PlainJob | null> {
    const { rows } = await this.#pool.query<JobRow>(`SELECT ${COLUMNS} FROM jobs WHERE id = $1`, [id]);
    return rows[0] === undefined ? null : toJob(rows[0]);
  }

  async segments(id: string, from: number): Promise<PlainSegment[]> {
    const { rows } = await this.#pool.query<PlainSegment>(
      `SELECT index, start_ms AS "startMs", end_ms AS "endMs", text FROM segments
        WHERE job_id = $1 AND index >= $2 ORDER BY index`,
      [id, from],
    );
    return rows;
  }
}

const COLUMNS = 'id, status, revision, processed_ms, total_ms, segment_count';

interface JobRow {
  readonly id: string;
  readonly status: PlainJob['status'];
  readonly revision: number;
  readonly processed_ms: number;
  readonly total_ms: number | null;
  readonly segment_count: number;
}

function toJob({ id, status, revision, ...row }: JobRow): PlainJob {
  const progress = progressOf(row.processed_ms, row.total_ms, row.segment_count);
  return { id, status, revision, progress };
}

export function progressOf(processedMs: number, totalMs: number | null, segmentCount: number): PlainProgress {
  return {
    fraction: totalMs === null || totalMs === 0 ? 0 : processedMs / totalMs,
    processedSeconds: processedMs / 1000,
    totalSeconds: totalMs === null ? null : totalMs / 1000,
    segmentCount,
  };
}
