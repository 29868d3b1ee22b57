import { setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { JOB_PRIORITIES } from '../../src/domain/vocabulary.ts';
import { findNatsServer } from '../../src/local/find-nats-server.ts';
import { connectToNats, type NatsConnection } from '../../src/messaging/connection.ts';
import { laneState } from '../../src/messaging/tasks.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { ApiClient } from './api-client.ts';
import { type Aftermath, auditRun, dump, leftovers, type Run } from './audit-run.ts';
import type { ChaosOptions } from './chaos-options.ts';
import { Cluster } from './cluster.ts';
import { followJob, type Received } from './cursor-client.ts';
import { FAULT_KINDS, planChaos } from './plan.ts';
import { Random } from './random.ts';
import type { ChaosReport } from './report.ts';
import { RunDatabase } from './run-database.ts';
import { rage } from './storm.ts';
import { type SubmittedJob, submit } from './submitter.ts';
import { until } from './until.ts';

/**
 * Runs the storm on a whole system of real processes, waits for all jobs, then audits. A run without a breach deletes
 * its folder; otherwise the folder stays, with the logs and the data of each job concerned.
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
    options.onProgress(`everything is up; the storm lasts ${options.minutes} min; files are in ${directory}`);
    const run: Run = { options, cluster, nc, database: new RunDatabase(cluster.databaseUrl), onSurprise };
    const aftermath = await letItStorm(run);
    const report = await auditRun(run, aftermath, surprises, nats.version);
    isClean = report.breaches.length === 0;
    if (!isClean) await dump(run, report, directory);
    return { report, directory };
  } finally {
    await nc.close();
    await cluster.stop();
    if (isClean) await rm(directory, { recursive: true, force: true });
  }
}

async function letItStorm({ options, cluster, nc, database, onSurprise }: Run): Promise<Aftermath> {
  const { minutes, seed, onProgress } = options;
  const random = new Random(`${seed}`);
  const plan = planChaos(random, {
    jobs: options.jobs,
    durationMs: minutes * 60_000,
    faults: options.faults ?? FAULT_KINDS,
    ease: options.ease ?? 1,
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
  onProgress('the storm is over; waiting for all jobs to finish');
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

async function backlog(nc: NatsConnection): Promise<number> {
  const lanes = await Promise.all(JOB_PRIORITIES.map((priority) => laneState(nc, 'whisper', priority)));
  return lanes.reduce((sum, lane) => sum + lane.pending + lane.ackPending, 0);
}
