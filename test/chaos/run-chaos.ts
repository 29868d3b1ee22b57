import { setMaxListeners } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { JOB_PRIORITIES } from '../../src/domain/vocabulary.ts';
import { findNatsServer } from '../../src/local/find-nats-server.ts';
import { connectToNats, type NatsConnection } from '../../src/messaging/connection.ts';
import { laneState, ordersBelowAckFloor } from '../../src/messaging/orders.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { ApiClient } from './api-client.ts';
import { audit, type Breach } from './audit.ts';
import { readChains, type StoredFact } from './chains.ts';
import { Cluster } from './cluster.ts';
import { followJob, type Received } from './cursor-client.ts';
import { FAULT_KINDS, type FaultKind, planChaos } from './plan.ts';
import { Random } from './random.ts';
import { percentile, type Recovery, recoveriesOf } from './recovery.ts';
import type { ChaosReport, RecoveryTimes } from './report.ts';
import { RunDatabase } from './run-database.ts';
import { rage, type StormReport } from './storm.ts';
import { type SubmittedJob, submit } from './submitter.ts';

export interface ChaosOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly jobs: number;
  readonly workers: number;
  readonly natsBinary?: string | undefined;
  /** All kinds by default. */
  readonly faults?: readonly FaultKind[] | undefined;
  /** How long all jobs may take to end after the storm. */
  readonly calmMinutes: number;
  readonly onProgress: (text: string) => void;
}

/**
 * A storm over a whole system of real processes, then calm, then the reckoning. A run without a breach leaves nothing
 * behind; else its folder stays, with the logs and what is known of each job concerned.
 */
export async function runChaos(
  options: ChaosOptions,
): Promise<{ readonly report: ChaosReport; readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'transcription-chaos-'));
  const surprises: string[] = [];
  const onSurprise = (text: string): void => void surprises.push(`${new Date().toISOString()} ${text}`);
  const log = createLogger('chaos', process.env.LOG_LEVEL ?? 'fatal');
  const { natsBinary, workers } = options;
  const env = natsBinary === undefined ? process.env : { ...process.env, NATS_SERVER_BIN: natsBinary };
  const nats = await findNatsServer(env, log);
  const cluster = await Cluster.start({ directory, workers, natsBinary: nats.path, log, onSurprise });
  const nc = await connectToNats({ url: cluster.natsUrl, name: 'chaos', log });
  let isClean = false;
  try {
    options.onProgress(`all is up; the storm lasts ${options.minutes} min; files are in ${directory}`);
    const run: Run = { options, cluster, nc, database: new RunDatabase(cluster.databaseUrl), onSurprise };
    const aftermath = await letItStorm(run);
    const report = await reckon(run, aftermath, surprises, nats.version);
    isClean = report.breaches.length === 0;
    if (!isClean) await dump(run, report, directory);
    return { report, directory };
  } finally {
    await nc.close();
    await cluster.stop();
    if (isClean) await rm(directory, { recursive: true, force: true });
  }
}

interface Run {
  readonly options: ChaosOptions;
  readonly cluster: Cluster;
  readonly nc: NatsConnection;
  readonly database: RunDatabase;
  readonly onSurprise: (text: string) => void;
}

interface Aftermath {
  readonly submitted: readonly SubmittedJob[];
  readonly received: readonly Received[];
  readonly storm: StormReport;
  readonly calmMs: number;
  readonly apiRetries: number;
}

async function letItStorm({ options, cluster, nc, database, onSurprise }: Run): Promise<Aftermath> {
  const { minutes, seed, onProgress } = options;
  const random = new Random(`${seed}`);
  const plan = planChaos(random, {
    jobs: options.jobs,
    durationMs: minutes * 60_000,
    faults: options.faults ?? FAULT_KINDS,
  });
  const startedAt = Date.now();
  const over = new AbortController();
  setMaxListeners(0, over.signal);
  const api = new ApiClient(cluster.serverUrls, over.signal, onSurprise);
  const submitted: SubmittedJob[] = [];
  const following: Promise<Received>[] = [];
  const onSubmitted = (job: SubmittedJob): void => {
    submitted.push(job);
    const own = random.fork(`client/${job.plan.number}`);
    if (job.plan.watch !== null) following.push(followJob(job, cluster.serverUrls, own, over.signal));
  };
  const submitting = plan.jobs.map((job) => submit(job, { api, startedAt, onSurprise, onSubmitted }));
  const all = Promise.allSettled(submitting);
  const storm = await rage(plan.faults, { cluster, database, nc, startedAt });
  await delay(Math.max(0, startedAt + minutes * 60_000 - Date.now()));

  const calmSince = Date.now();
  const deadline = calmSince + options.calmMinutes * 60_000;
  await cluster.calm();
  onProgress('the storm is over; waiting for every job to end');
  const late = setTimeout(() => over.abort(new Error('the run is over')), deadline - Date.now());
  for (const result of await all) {
    if (result.status === 'rejected') onSurprise(`a job could not be submitted: ${result.reason}`);
  }
  await until(async () => (await database.unfinished()) === 0, deadline);
  const calmMs = Date.now() - calmSince;
  await until(async () => (await leftovers(nc)).length === 0 && (await backlog(nc)) === 0, deadline);
  const farewell = setTimeout(() => over.abort(new Error('the run is over')), 30_000);
  const received = await Promise.all(following);
  clearTimeout(late);
  clearTimeout(farewell);
  return { submitted, received, storm, calmMs, apiRetries: api.retries };
}

/** Polls until it holds or the deadline passes; what does not hold then, the audit tells. */
async function until(holds: () => Promise<boolean>, deadline: number): Promise<void> {
  while (Date.now() < deadline) {
    if (await holds().catch(() => false)) return;
    await delay(1000);
  }
}

async function leftovers(nc: NatsConnection): Promise<readonly number[]> {
  const lanes = await Promise.all(
    JOB_PRIORITIES.map((priority) => ordersBelowAckFloor(nc, 'whisper', priority)),
  );
  return lanes.flat().map(({ sequence }) => sequence);
}

async function backlog(nc: NatsConnection): Promise<number> {
  const lanes = await Promise.all(JOB_PRIORITIES.map((priority) => laneState(nc, 'whisper', priority)));
  return lanes.reduce((sum, lane) => sum + lane.pending + lane.ackPending, 0);
}

async function reckon(
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
        what: `order ${sequence}`,
      }),
    ),
    ...quarantined.map((what): Breach => ({ check: 'facts in quarantine', jobId: null, what })),
    ...surprises.map((what): Breach => ({ check: 'surprises', jobId: null, what })),
  ];
  const started = [...chains.values()].flat().filter(({ fact }) => fact.type === 'started');
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
      resumed: started.filter(({ fact }) => fact.checkpointMs > 0).length,
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
  { duplicated }: StormReport,
): boolean {
  if (duplicated.has(jobId)) return false;
  // Without Postgres an order comes again all the same.
  const away = outages.filter(({ service }) => service === 'nats');
  return !away.some(({ from, to }) => from < killedAt + tookMs && to > killedAt - 1000);
}

function timesOf(recoveries: readonly Recovery[]): RecoveryTimes {
  const times = recoveries.map(({ tookMs }) => tookMs);
  return { count: times.length, p50: percentile(times, 50), p99: percentile(times, 99) };
}

/** Everything that is known of the jobs concerned, to look into without the run. */
async function dump({ nc, database }: Run, report: ChaosReport, directory: string): Promise<void> {
  const { chains } = await readChains(nc);
  const ids = [...new Set(report.breaches.flatMap(({ jobId }) => (jobId === null ? [] : [jobId])))];
  const rows = await database.query<{ id: string }>('SELECT * FROM jobs WHERE id = ANY($1)', [ids]);
  const brief = ({ fact, sequence, at }: StoredFact) => ({
    ...{ sequence, at: new Date(at).toISOString() },
    ...fact,
    ...('segments' in fact ? { segments: fact.segments.map(({ index }) => index) } : {}),
  });
  const jobs = ids.map((id) => ({
    row: rows.find((row) => row.id === id),
    facts: (chains.get(id) ?? []).map(brief),
  }));
  await writeFile(join(directory, 'breaches.json'), JSON.stringify({ report, jobs }, null, 1));
}
