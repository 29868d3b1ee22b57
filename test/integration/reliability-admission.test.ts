import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NO_CREDITS } from '../../src/domain/fairness.ts';
import { JOB_PRIORITIES } from '../../src/domain/vocabulary.ts';
import { admitFairly } from '../../src/leader/admission.ts';
import { CANDIDATES, createJobSchedule, FREE_PLACES } from '../../src/storage/job-schedule.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';

/** Which jobs run next, against Postgres alone. */
let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
  await storage.database.query(`INSERT INTO tenants (id, name) VALUES ('ten_a', 'A'), ('ten_b', 'B')`);
});
afterAll(() => storage?.close());
beforeEach(() =>
  storage.database.query(`DELETE FROM jobs; UPDATE tenants SET max_running_jobs = NULL;
    UPDATE queues SET paused_at = NULL, concurrency = 100`),
);

/** Waiting whisper jobs, the first one the oldest; of all priorities by default. */
async function waiting(tenant: string, count: number, priority: number | null = null): Promise<void> {
  await storage.database.query(
    `INSERT INTO jobs (id, tenant_id, status, queue, priority, engines, source_url, model, timestamps, diarize,
        translate_to_english, vocabulary, submitted_at, queued_at, max_attempts, updated_at)
     SELECT 'job_' || md5(concat_ws('/', $1::text, $3::text, n)), $1, 'QUEUED', 'whisper', coalesce($3::int, n % 4), '{WHISPER}',
        'https://example.com/' || n, 'default', 'SEGMENT', false, false, '{}', t, t, 3, t
       FROM generate_series(1, $2::int) n, LATERAL (SELECT now() - interval '1 day' + n * interval '1 ms' AS t) AS times`,
    [tenant, count, priority],
  );
}

async function admit(readyTarget: number) {
  const request = { queue: 'whisper', readyTarget, now: new Date() } as const;
  return (await admitFairly(createJobSchedule(storage.database), request, NO_CREDITS)).jobs;
}

const tenantsOf = async (ids: readonly string[]): Promise<readonly string[]> => {
  const rows: { id: string; tenant: string }[] = await storage.database.query(
    'SELECT id, tenant_id AS tenant FROM jobs WHERE id = ANY($1)',
    [ids],
  );
  return ids.map((id) => rows.find((row) => row.id === id)?.tenant ?? '');
};

function countsOf(values: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

describe('admission', () => {
  const WEIGHTED = { CRITICAL: 8, HIGH: 4, NORMAL: 2, LOW: 1 };

  it('shares places by the weights of the priorities, so that the lowest never starves', async () => {
    await waiting('ten_a', 100);

    expect(countsOf((await admit(15)).map((job) => job.priority))).toEqual(WEIGHTED);
  });

  it('keeps to the weights when places become free one at a time', async () => {
    await waiting('ten_a', 100);
    const schedule = createJobSchedule(storage.database);
    const priorities: string[] = [];
    let credits = NO_CREDITS;
    for (let readyTarget = 1; readyTarget <= 15; readyTarget += 1) {
      const round = await admitFairly(schedule, { queue: 'whisper', readyTarget, now: new Date() }, credits);
      priorities.push(...round.jobs.map((job) => job.priority));
      credits = round.credits;
    }

    expect(countsOf(priorities)).toEqual(WEIGHTED);
  });

  it('prefers the tenant with the fewest running jobs, however many of the other wait', async () => {
    await waiting('ten_a', 50, 2);
    await admit(10);
    await waiting('ten_b', 5, 2);

    expect(await tenantsOf((await admit(15)).map((job) => job.id))).toEqual(Array(5).fill('ten_b'));
  });

  it('alternates between tenants with as many running jobs, the oldest job of each first', async () => {
    await waiting('ten_a', 20, 2);
    await waiting('ten_b', 20, 2);
    const jobs = await admit(10);

    expect(countsOf(await tenantsOf(jobs.map((job) => job.id)))).toEqual({ ten_a: 5, ten_b: 5 });
    const [row] = await storage.database.query(
      `SELECT bool_and(admitted_at IS NOT NULL) AS oldest FROM (SELECT admitted_at,
          row_number() OVER (PARTITION BY tenant_id ORDER BY queued_at) AS place FROM jobs) AS ranked WHERE place <= 5`,
    );
    expect(row).toEqual({ oldest: true });
  });

  it('respects the limit of a tenant', async () => {
    await waiting('ten_a', 20, 2);
    await storage.database.query(`UPDATE tenants SET max_running_jobs = 3 WHERE id = 'ten_a'`);

    expect(await admit(10)).toHaveLength(3);
    expect(await admit(20)).toHaveLength(0);
  });

  it('respects the concurrency and the pause of a queue', async () => {
    await waiting('ten_a', 20, 2);
    await storage.database.query(`UPDATE queues SET concurrency = 4 WHERE name = 'whisper'`);
    expect(await admit(10)).toHaveLength(4);
    await storage.database.query(`UPDATE queues SET concurrency = 100, paused_at = now()`);

    expect(await admit(10)).toHaveLength(0);
  });

  it('admits each job once when several servers admit at the same time', async () => {
    await waiting('ten_a', 200, 2);
    const batches = await Promise.all(Array.from({ length: 5 }, () => admit(20)));
    const ids = batches.flat().map((job) => job.id);

    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThanOrEqual(20);
  });
});

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly PlanNode[];
}

const nodesOf = (node: PlanNode): readonly PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

describe('with 200 000 jobs waiting', () => {
  const PLACES = 20;

  it('reads the candidates of admission alone, by index, with custom and generic plans', async () => {
    await waiting('ten_a', 100_000);
    await waiting('ten_b', 100_000);
    await storage.database.query('ANALYZE jobs');
    for (const mode of ['force_custom_plan', 'force_generic_plan']) {
      for (const { name, text } of [CANDIDATES, FREE_PLACES]) {
        const scans = await scansOf(`${name} ${mode}`, text, mode);
        const rows = scans.reduce((sum, node) => sum + node['Actual Rows'] * node['Actual Loops'], 0);
        expect(scans.map((node) => node['Node Type'])).not.toContain('Seq Scan');
        // Of each tenant in each priority, and for each step to the next tenant.
        expect(rows).toBeLessThanOrEqual(JOB_PRIORITIES.length * 2 * (PLACES + 2));
      }
    }

    expect(await admit(PLACES)).toHaveLength(PLACES);
  });

  /** The scans of `jobs` that an execution of the statement makes. */
  async function scansOf(name: string, text: string, mode: string): Promise<readonly PlanNode[]> {
    const session = storage.database.createQueryRunner();
    try {
      await session.query(`SET plan_cache_mode = ${mode}`);
      await session.query(`PREPARE "${name}" (text, int) AS ${text}`);
      const [row] = await session.query(
        `EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE "${name}" ('whisper', ${PLACES})`,
      );
      await session.query('RESET plan_cache_mode');
      return nodesOf(row['QUERY PLAN'][0].Plan).filter((node) => node['Relation Name'] === 'jobs');
    } finally {
      await session.release();
    }
  }
});
