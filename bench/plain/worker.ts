import { type Job, Worker } from 'bullmq';
import pg from 'pg';
import { createLogger } from '../../src/observability/logger.ts';
import { createEngine } from '../../test/support/scripted-engine.mjs';
import type { AudioSource, EngineReport } from '../../worker/engines/engine.ts';
import type { PlainReport } from './job-watch.ts';
import { PLAIN_QUEUE, type PlainSegment, type PlainTask } from './jobs.ts';
import { redisOptions } from './redis-options.ts';

/**
 * The plain way's worker: BullMQ's, with the engine that the product's worker has. Progress and segments go out by
 * `updateProgress`; Postgres gets them in one statement at the end, so a run that dies begins again from nothing.
 *
 *   REDIS_URL, DATABASE_URL, SLOTS
 */
const slots = Number(process.env.SLOTS);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const engine = await createEngine({ env: process.env, log: createLogger('worker', 'warn') });

const worker = new Worker<PlainTask, PlainReport>(PLAIN_QUEUE, transcribe, {
  connection: redisOptions(process.env),
  concurrency: slots,
});
await worker.waitUntilReady();
process.send?.({ type: 'ready' });

process.once('SIGTERM', async () => {
  await worker.close();
  await pool.end();
  process.exit(0);
});

async function transcribe(task: Job<PlainTask, PlainReport>): Promise<PlainReport> {
  const { jobId, url } = task.data;
  await pool.query(
    `UPDATE jobs SET status = 'PROCESSING', started_at = now(), revision = revision + 1 WHERE id = $1`,
    [jobId],
  );
  const source = sourceOf(jobId, url);
  const segments: PlainSegment[] = [];
  const sending: Promise<void>[] = [];
  let [reported, processedMs] = [0, 0];
  let totalMs: number | null = null;
  const report = (): PlainReport => {
    const fresh = segments.slice(reported);
    reported = segments.length;
    return { processedMs, totalMs, segments: fresh, segmentCount: segments.length };
  };
  const told: EngineReport = {
    audio: ({ durationMs }) => {
      totalMs = durationMs;
    },
    segments: (found) => {
      for (const { startMs, endMs, text } of found)
        segments.push({ index: segments.length, startMs, endMs, text });
    },
    progress: (doneMs) => {
      processedMs = doneMs;
      sending.push(task.updateProgress(report()));
    },
    indeterminate: () => {},
  };
  const { language } = await engine.transcribe(source, told, new AbortController().signal);
  await Promise.all(sending);
  processedMs = totalMs ?? processedMs;
  await pool.query(COMPLETE, [
    jobId,
    ...(['index', 'startMs', 'endMs', 'text'] as const).map((column) => segments.map((each) => each[column])),
    ...[processedMs, totalMs, segments.length, language],
  ]);
  return report();
}

const COMPLETE = `
  WITH stored AS (INSERT INTO segments (job_id, index, start_ms, end_ms, text)
    SELECT $1, * FROM unnest($2::int[], $3::int[], $4::int[], $5::text[]))
  UPDATE jobs SET status = 'COMPLETED', finished_at = now(), revision = revision + 1,
    processed_ms = $6, total_ms = $7, segment_count = $8, language = $9 WHERE id = $1`;

function sourceOf(jobId: string, url: string): AudioSource {
  return {
    ...{ jobId, url, kind: 'url', contentType: null, sizeBytes: null, resumeMs: 0, language: null },
    options: {
      model: 'default',
      language: null,
      timestamps: 'SEGMENT',
      diarize: false,
      translateToEnglish: false,
      vocabulary: [],
    },
    open: async () => {
      throw new Error('this engine reads no audio');
    },
  };
}
