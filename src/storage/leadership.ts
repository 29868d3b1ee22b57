import type pg from 'pg';
import type { Logger } from '../observability/logger.ts';
import { sleep, unlessAborted } from '../process/wait.ts';
import { createClient, endClient } from './database-client.ts';

/** Any number will do, as long as every server uses the same. */
const LEADER_LOCK = 7_221_906;
const STEP_MS = 1000;
/** A leader not seen for this long is deposed: it hangs, or its machine is gone without a word. */
const DEPOSE_AFTER_SECONDS = 3;
/** What the loops have in hand may hang on the very thing that ended the leadership. */
const LET_GO_MS = 10_000;

export interface LeadershipOptions {
  readonly url: string;
  readonly serverId: string;
  readonly log: Logger;
  /** Does the leader's work until the signal aborts; called again each time leadership is won. */
  lead(signal: AbortSignal): Promise<void>;
}

/**
 * Lets one of several servers run the background loops. A session-level advisory lock decides; when the
 * leader dies its connection closes and Postgres frees the lock at once. A leader that only hangs (a stopped
 * process keeps its connections) is deposed by ending its backend. What the loops write is guarded by
 * itself (row locks, the projector's offset), so a deposed leader that wakes up does no harm.
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;
  /** The loops of the last leadership, until they have ended. */
  #work: Promise<void> = Promise.resolve();
  #leading = false;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  get isLeader(): boolean {
    return this.#leading;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        // The loops are not made to run twice at once; while they hang, others may lead.
        await unlessAborted(this.#work, signal);
        await this.#campaign(signal);
      } catch (err) {
        if (!signal.aborted) this.#options.log.warn({ err }, 'leadership was interrupted; trying again');
      }
      await sleep(STEP_MS, signal);
    }
  }

  /** One connection's worth of waiting for the lock and, once it is won, leading. */
  async #campaign(signal: AbortSignal): Promise<void> {
    const client = createClient(this.#options.url, 'leadership');
    const broken = new AbortController();
    client.on('error', () => broken.abort());
    client.on('end', () => broken.abort());
    try {
      await client.connect();
      const alive = AbortSignal.any([signal, broken.signal]);
      while (!alive.aborted) {
        if (await tryLock(client)) return await this.#lead(client, alive);
        await deposeSilentLeader(client, this.#options.log);
        await sleep(STEP_MS, alive);
      }
    } finally {
      await endClient(client); // Closing is what frees the lock.
    }
  }

  async #lead(client: pg.Client, alive: AbortSignal): Promise<void> {
    const { log, serverId, lead } = this.#options;
    const deposed = new AbortController();
    log.info({ serverId }, 'leading: running the background loops');
    this.#leading = true;
    const leading = AbortSignal.any([alive, deposed.signal]);
    this.#work = lead(leading)
      .catch((err: unknown) => log.error({ err }, 'the background loops failed'))
      .finally(() => deposed.abort());
    try {
      while (!leading.aborted) {
        await client.query(
          `INSERT INTO leader (server_id, backend_pid, seen_at) VALUES ($1, pg_backend_pid(), now())
           ON CONFLICT (id) DO UPDATE
             SET server_id = excluded.server_id, backend_pid = excluded.backend_pid, seen_at = excluded.seen_at`,
          [serverId],
        );
        await sleep(STEP_MS, leading);
      }
    } finally {
      this.#leading = false;
      deposed.abort();
      await unlessAborted(this.#work, AbortSignal.timeout(LET_GO_MS)).catch(() => undefined);
      log.info({ serverId }, 'no longer leading');
    }
  }
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
    LEADER_LOCK,
  ]);
  return rows[0]?.locked === true;
}

async function deposeSilentLeader(client: pg.Client, log: Logger): Promise<void> {
  const { rows } = await client.query<{ server_id: string; ended: boolean }>(
    `SELECT l.server_id, pg_terminate_backend(l.backend_pid) AS ended FROM leader l
       JOIN pg_locks k ON k.pid = l.backend_pid AND k.locktype = 'advisory' AND k.objid = $1 AND k.granted
      WHERE l.seen_at < now() - make_interval(secs => $2)`,
    [LEADER_LOCK, DEPOSE_AFTER_SECONDS],
  );
  for (const row of rows) log.warn({ serverId: row.server_id }, 'the leader went silent and was deposed');
}
