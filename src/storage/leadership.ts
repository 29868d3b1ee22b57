import type pg from 'pg';
import type { Logger } from '../observability/logger.ts';
import { sleep, unlessAborted } from '../process/wait.ts';
import { createClient, endClient } from './database-client.ts';

/** An arbitrary number that every server uses. */
const LEADER_LOCK = 7_221_906;
const STEP_MS = 1000;
/** A leader that was not seen for this time is deposed: it hangs, or its machine is gone. */
const DEPOSE_AFTER_SECONDS = 3;
/** How long to wait for the loops to end: they may hang on the outage that ended the leadership. */
const LET_GO_MS = 10_000;

export interface LeadershipOptions {
  readonly url: string;
  readonly serverId: string;
  readonly log: Logger;
  /** Does the leader's work until the signal aborts; called each time this server becomes the leader. */
  lead(signal: AbortSignal): Promise<void>;
}

/**
 * Lets one of several servers run the background loops. A session-level advisory lock decides: when the leader dies,
 * its connection closes and Postgres releases the lock. A leader that only hangs (a suspended process keeps its
 * connections) is deposed by terminating its backend. What the loops write has guards of its own (row locks, the
 * projector's offset), so a deposed leader that continues does no harm.
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
        // The loops never run twice in one process; while they hang, another server may lead.
        await unlessAborted(this.#work, signal);
        await this.#campaign(signal);
      } catch (err) {
        if (!signal.aborted) this.#options.log.warn({ err }, 'leadership interrupted; retrying');
      }
      await sleep(STEP_MS, signal);
    }
  }

  /** Waits for the lock on one connection, and leads while it lasts. */
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
    log.info({ serverId }, 'this server leads and runs the background loops');
    this.#leading = true;
    const leading = AbortSignal.any([alive, deposed.signal]);
    this.#work = lead(leading)
      .catch((err: unknown) => log.error({ err }, 'background loops failed'))
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
      log.info({ serverId }, 'this server no longer leads');
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
  for (const row of rows) log.warn({ serverId: row.server_id }, 'deposed a leader that stopped responding');
}
