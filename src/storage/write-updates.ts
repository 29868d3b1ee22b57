import type { EntityManager } from 'typeorm';
import type { AttemptEnd, JobUpdate } from '../domain/job-update.ts';
import type { Segment } from '../domain/transcript.ts';
import { CHANNELS } from './channels.ts';
import { columnsOfUpdate } from './job-rows.ts';
import { type RecordColumns, recordOf, recordsOf } from './job-sql.ts';
import {
  type AttemptRow,
  AttemptTable,
  type JobRow,
  JobTable,
  type SegmentRow,
  SegmentTable,
} from './tables.ts';

/** What a batch of updates comes to: each row once, as it is after all of them. */
interface Folded {
  readonly rows: Map<string, JobRow>;
  readonly started: Map<string, AttemptRow>;
  /** Ends of attempts that are stored already. */
  readonly ended: (AttemptEnd & { readonly jobId: string })[];
  readonly segments: Map<string, Segment[]>;
  /** Per job, the first index to delete. */
  readonly dropped: Map<string, number>;
}

/**
 * Writes any number of updates of locked jobs in one statement (two where a transcript starts over), and puts the rows
 * as they are after it into `rows`. Postgres sends the notifications with the commit.
 *
 * @param rows The locked jobs.
 */
export async function writeUpdates(
  manager: EntityManager,
  rows: Map<string, JobRow>,
  updates: readonly JobUpdate[],
): Promise<void> {
  if (updates.length === 0) return;
  const folded = fold(rows, updates);
  if (folded.dropped.size > 0) await deleteSegments(manager, folded.dropped);
  const segments = [...folded.segments].flatMap(([jobId, list]) =>
    list.map((segment): SegmentRow => ({ ...segment, jobId })),
  );
  const news = [...folded.rows].flatMap(([id, row]) => newsOf(rows.get(id), row));
  await manager.query(WRITE, [
    recordsOf(JOB_STATE, [...folded.rows.values()]),
    recordsOf(ATTEMPT, [...folded.started.values()]),
    recordsOf(ATTEMPT_END, folded.ended),
    recordsOf(SEGMENT, segments),
    news.map(([channel]) => channel),
    news.map(([, payload]) => payload),
  ]);
  for (const [id, row] of folded.rows) rows.set(id, row);
}

function fold(rows: ReadonlyMap<string, JobRow>, updates: readonly JobUpdate[]): Folded {
  const folded: Folded = {
    rows: new Map(),
    started: new Map(),
    ended: [],
    segments: new Map(),
    dropped: new Map(),
  };
  for (const update of updates) foldOne(folded, rows, update);
  return folded;
}

function foldOne(folded: Folded, rows: ReadonlyMap<string, JobRow>, update: JobUpdate): void {
  const jobId = update.job.id;
  const row = folded.rows.get(jobId) ?? rows.get(jobId);
  if (row === undefined) throw new Error(`job ${jobId} was not locked before its update`);
  folded.rows.set(jobId, { ...row, ...columnsOfUpdate(update, row), revision: row.revision + 1 });

  for (const end of update.attemptEnded ?? []) {
    const key = `${jobId} ${end.number}`;
    const begun = folded.started.get(key);
    if (begun === undefined) folded.ended.push({ jobId, ...end });
    else if (begun.outcome === null) folded.started.set(key, { ...begun, ...end });
  }
  if (update.attemptStarted !== undefined) {
    const open = { finishedAt: null, outcome: null, failure: null, requestId: null };
    const attempt = { jobId, ...update.attemptStarted, ...open };
    folded.started.set(`${jobId} ${attempt.number}`, attempt);
  }
  const { dropSegmentsFrom } = update;
  const kept = (folded.segments.get(jobId) ?? []).filter(
    ({ index }) => dropSegmentsFrom === undefined || index < dropSegmentsFrom,
  );
  folded.segments.set(jobId, [...kept, ...(update.segments ?? [])]);
  if (dropSegmentsFrom !== undefined) {
    folded.dropped.set(jobId, Math.min(dropSegmentsFrom, folded.dropped.get(jobId) ?? dropSegmentsFrom));
  }
}

/** Pairs of channel and payload: what other servers must know of the change. */
function newsOf(before: JobRow | undefined, after: JobRow): (readonly [channel: string, payload: string])[] {
  const waits = after.status === 'QUEUED' && after.admittedAt === null;
  const freesPlace = before !== undefined && before.admittedAt !== null && after.admittedAt === null;
  return [
    [CHANNELS.jobChanged, after.id],
    ...(waits ? [[CHANNELS.jobsWaiting, after.queue] as const] : []),
    ...(freesPlace ? [[CHANNELS.jobsWaiting, before.queue] as const] : []),
    ...(after.status === 'RETRYING' ? [[CHANNELS.jobsTimed, ''] as const] : []),
  ];
}

async function deleteSegments(manager: EntityManager, dropped: ReadonlyMap<string, number>): Promise<void> {
  await manager.query(
    `DELETE FROM segments USING unnest($1::text[], $2::int[]) AS dropped (job_id, index)
      WHERE segments.job_id = dropped.job_id AND segments.index >= dropped.index`,
    [[...dropped.keys()], [...dropped.values()]],
  );
}

/** The columns that updates change. */
const JOB_STATE = recordOf(JobTable, [
  ...(['id', 'status', 'revision', 'queue', 'priority', 'engineIndex', 'model', 'deadline'] as const),
  ...(['queuedAt', 'startedAt', 'finishedAt', 'expiresAt', 'nextAttemptAt'] as const),
  ...(['cancelRequestedAt', 'cancelReason', 'admittedAt', 'taskSequence', 'publication'] as const),
  ...(['attempt', 'lastOrdinal', 'runId', 'workerId', 'lastEventAt', 'failures', 'lostRuns'] as const),
  ...(['generation', 'segmentCount', 'checkpointMs', 'detectedLanguage', 'languageConfidence'] as const),
  ...(['failure', 'failureKind', 'failureAt', 'failureFingerprint', 'deadLetteredAt'] as const),
  ...(['audioDurationMs', 'audioCodec', 'audioSampleRate', 'audioChannels', 'audioSizeBytes'] as const),
  ...(['audioSha256', 'billedMs', 'computeMs', 'updatedAt'] as const),
]);
const ATTEMPT = recordOf(AttemptTable);
const ATTEMPT_END = recordOf(AttemptTable, [
  ...(['jobId', 'number', 'finishedAt', 'outcome', 'failure', 'requestId', 'model'] as const),
]);
const SEGMENT = recordOf(SegmentTable);

const setters = ({ columns }: RecordColumns, keys: readonly string[]): string =>
  columns
    .filter(({ name }) => !keys.includes(name))
    .map(({ name }) => `${name} = new.${name}`)
    .join(', ');
const insertion = (table: string, { names, definition }: RecordColumns, place: string): string =>
  `INSERT INTO ${table} (${names}) SELECT ${names} FROM jsonb_to_recordset(${place}::jsonb) AS new (${definition})`;

const WRITE = `
  WITH changed AS (
    UPDATE jobs SET ${setters(JOB_STATE, ['id'])}
      FROM jsonb_to_recordset($1::jsonb) AS new (${JOB_STATE.definition}) WHERE jobs.id = new.id
  ), started AS (
    ${insertion('attempts', ATTEMPT, '$2')} ON CONFLICT DO NOTHING
  ), ended AS (
    UPDATE attempts SET ${setters(ATTEMPT_END, ['job_id', 'number', 'model'])}, model = coalesce(new.model, attempts.model)
      FROM jsonb_to_recordset($3::jsonb) AS new (${ATTEMPT_END.definition})
     WHERE attempts.job_id = new.job_id AND attempts.number = new.number AND attempts.outcome IS NULL
  ), added AS (
    ${insertion('segments', SEGMENT, '$4')}
  )
  SELECT pg_notify(channel, payload) FROM unnest($5::text[], $6::text[]) AS news (channel, payload)`;
