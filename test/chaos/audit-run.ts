import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { JOB_PRIORITIES } from '../../src/domain/vocabulary.ts';
import type { NatsConnection } from '../../src/messaging/connection.ts';
import { tasksBelowAckFloor } from '../../src/messaging/tasks.ts';
import { audit, type Breach } from './audit.ts';
import { readChains, type StoredEvent } from './chains.ts';
import type { ChaosOptions } from './chaos-options.ts';
import type { Cluster } from './cluster.ts';
import type { Received } from './cursor-client.ts';
import { percentile, type Recovery, recoveriesOf } from './recovery.ts';
import type { ChaosReport, RecoveryTimes } from './report.ts';
import type { RunDatabase } from './run-database.ts';
import type { StormReport } from './storm.ts';
import type { SubmittedJob } from './submitter.ts';
import { until } from './until.ts';

export interface Run {
  readonly options: ChaosOptions;
  readonly cluster: Cluster;
  readonly nc: NatsConnection;
  readonly database: RunDatabase;
  readonly onSurprise: (text: string) => void;
}

export interface Aftermath {
  readonly submitted: readonly SubmittedJob[];
  readonly received: readonly Received[];
  readonly storm: StormReport;
  readonly calmMs: number;
  readonly apiRetries: number;
}

/** Tasks below the ack floor, which JetStream never delivers. */
export async function leftovers(nc: NatsConnection): Promise<readonly number[]> {
  const lanes = await Promise.all(
    JOB_PRIORITIES.map((priority) => tasksBelowAckFloor(nc, 'whisper', priority)),
  );
  return lanes.flat().map(({ sequence }) => sequence);
}

/** Compares what is stored and what clients saw with the plan. */
export async function auditRun(
  { options, cluster, nc, database }: Run,
  aftermath: Aftermath,
  surprises: readonly string[],
  natsVersion: string,
): Promise<ChaosReport> {
  const { chains, lastSequence } = await readChains(nc);
  await until(async () => (await database.projectedTo()) >= lastSequence, Date.now() + 30_000);
  const [states, segments, quarantined] = await Promise.all([
    database.jobs(),
    database.segments(),
    database.quarantined(),
  ]);
  const breaches: Breach[] = [
    ...audit({ ...aftermath, plannedCount: options.jobs, states, segments, chains }),
    ...(await leftovers(nc)).map(
      (sequence): Breach => ({
        check: 'messages left below the ack floor',
        jobId: null,
        what: `task ${sequence}`,
      }),
    ),
    ...quarantined.map((what): Breach => ({ check: 'events in quarantine', jobId: null, what })),
    ...surprises.map((what): Breach => ({ check: 'surprises', jobId: null, what })),
  ];
  const started = [...chains.values()].flat().filter(({ event }) => event.type === 'started');
  const recoveries = recoveriesOf(aftermath.storm.kills, chains);
  const ended = (status: string): number => states.filter((state) => state.status === status).length;
  return {
    seed: options.seed,
    minutes: options.minutes,
    natsVersion,
    calmSeconds: Math.round(aftermath.calmMs / 1000),
    jobs: {
      submitted: aftermath.submitted.length,
      completed: ended('COMPLETED'),
      canceled: ended('CANCELED'),
      failed: ended('FAILED'),
      deadLettered: states.filter((state) => state.deadLetteredAt !== null).length,
      attempts: started.length,
      resumed: started.filter(({ event }) => event.checkpointMs > 0).length,
    },
    faults: aftermath.storm.counts,
    apiRetries: aftermath.apiRetries,
    clients: {
      count: aftermath.received.length,
      sessions: aftermath.received.reduce((sum, client) => sum + client.sessions, 0),
    },
    recovery: timesOf(recoveries),
    quietRecovery: timesOf(recoveries.filter((recovery) => wasQuiet(recovery, cluster, aftermath.storm))),
    breaches,
  };
}

function wasQuiet(
  { jobId, killedAt, tookMs }: Recovery,
  { outages }: Cluster,
  { duplicated, workerFaults }: StormReport,
): boolean {
  if (duplicated.has(jobId)) return false;
  // The next worker may be hit before it starts, which restarts the wait.
  if (workerFaults.some((at) => at > killedAt && at < killedAt + tookMs)) return false;
  // Redelivery does not need Postgres.
  const away = outages.filter(({ service }) => service === 'nats');
  return !away.some(({ from, to }) => from < killedAt + tookMs && to > killedAt - 1000);
}

function timesOf(recoveries: readonly Recovery[]): RecoveryTimes {
  const times = recoveries.map(({ tookMs }) => tookMs);
  return { count: times.length, p50: percentile(times, 50), p99: percentile(times, 99) };
}

/** Everything stored about the jobs concerned, for an investigation after the run. */
export async function dump({ nc, database }: Run, report: ChaosReport, directory: string): Promise<void> {
  const { chains } = await readChains(nc);
  const ids = [...new Set(report.breaches.flatMap(({ jobId }) => (jobId === null ? [] : [jobId])))];
  const rows = await database.query<{ id: string }>('SELECT * FROM jobs WHERE id = ANY($1)', [ids]);
  const brief = ({ event, sequence, at }: StoredEvent) => ({
    ...{ sequence, at: new Date(at).toISOString() },
    ...event,
    ...('segments' in event ? { segments: event.segments.map(({ index }) => index) } : {}),
  });
  const jobs = ids.map((id) => ({
    row: rows.find((row) => row.id === id),
    events: (chains.get(id) ?? []).map(brief),
  }));
  await writeFile(join(directory, 'breaches.json'), JSON.stringify({ report, jobs }, null, 1));
}
