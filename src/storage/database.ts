import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { DataSource, type DataSourceOptions, type QueryRunner, type ReplicationMode } from 'typeorm';
import { CreateTables1763769600000 } from '../../migrations/1763769600000-create-tables.ts';
import { UnavailableError, ValidationError } from '../domain/errors.ts';
import type { Logger } from '../observability/logger.ts';
import { endWhenSilent, KEEP_ALIVE } from './database-client.ts';
import { TABLES } from './tables.ts';

/** Every migration, in order. Listed by hand: globs fail silently. */
export const MIGRATIONS = [CreateTables1763769600000] as const;

export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly log: Logger;
  /** No statement runs longer; 0 means no limit. A connection that is silent for a third longer is closed. */
  readonly statementTimeoutMs?: number;
  /** Commits do not wait for the disk: for changes that may be lost in a crash of Postgres, as a later round repeats them. */
  readonly relaxedCommits?: boolean;
  /**
   * The URL leads to a pooler in transaction mode, so that nothing may stick to a connection: no session settings
   * (the database's own hold) and no prepared statements.
   */
  readonly pooled?: boolean;
}

/** A pooler in transaction mode stands before Postgres, and the configuration does not say so. */
export class PoolerError extends Error {
  override readonly name = 'PoolerError';

  constructor(options?: ErrorOptions) {
    super(
      'DATABASE_URL leads to a connection pooler in transaction mode, where locks and session settings do not hold. ' +
        'Set DATABASE_DIRECT_URL to the address of Postgres itself, or switch the pooler to session mode.',
      options,
    );
  }
}

export interface PreparedStatement {
  /** One text per name: Postgres keeps the plan of the first. */
  readonly name: string;
  /** Lists its columns; `*` would break the plan when a migration adds one. */
  readonly text: string;
}

/**
 * A pool of connections. Every statement, made by TypeORM or by hand, passes `withTranslatedErrors`, so that callers
 * see an UnavailableError or a ValidationError where one applies.
 */
export class Database extends DataSource {
  readonly #pooled: boolean;

  constructor(options: DataSourceOptions, pooled: boolean) {
    super(options);
    this.#pooled = pooled;
  }

  override createQueryRunner(mode?: ReplicationMode): QueryRunner {
    const runner = super.createQueryRunner(mode);
    const query = runner.query.bind(runner) as (...args: unknown[]) => Promise<unknown>;
    runner.query = (...args: unknown[]) => withTranslatedErrors(() => query(...args)) as Promise<never>;
    return runner;
  }

  /** For hot statements whose planning takes longer than their execution: each connection plans them once. */
  async queryPrepared<Row>(statement: PreparedStatement, values: readonly unknown[]): Promise<Row[]> {
    const { master } = this.driver as unknown as { readonly master: pg.Pool };
    const { name, text } = statement;
    const query = this.#pooled ? { text } : { name, text };
    const { rows } = await withTranslatedErrors(() => master.query({ ...query, values: [...values] }));
    return rows;
  }
}

/**
 * Opens the pool; the first connection is made at once, so that a wrong URL fails here.
 *
 * @throws PoolerError where a pooler dropped or refused the session settings.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const statementTimeoutMs = options.statementTimeoutMs ?? 0;
  const silenceMs = Math.ceil((statementTimeoutMs * 4) / 3);
  const pooled = options.pooled ?? false;
  const database = new Database(
    {
      type: 'postgres',
      url: options.url,
      entities: [...TABLES],
      migrations: [...MIGRATIONS],
      migrationsTableName: 'migrations',
      uuidExtension: 'pgcrypto',
      installExtensions: false,
      poolSize: options.poolSize,
      applicationName: 'transcription-service',
      connectTimeoutMS: 5000,
      poolErrorHandler: (err: Error) => options.log.warn({ err }, 'an idle database connection failed'),
      extra: {
        ...(pooled ? {} : sessionSettings(options, statementTimeoutMs)),
        ...KEEP_ALIVE,
        // The pool closes idle connections before `endWhenSilent` would take them for dead.
        ...(silenceMs > 0 ? { idleTimeoutMillis: Math.ceil(silenceMs / 2) } : {}),
        onConnect: (client: pg.ClientBase) => {
          if (silenceMs > 0) endWhenSilent(client, silenceMs);
        },
      },
    },
    pooled,
  );
  try {
    await database.initialize();
  } catch (error) {
    if (/unsupported startup parameter/.test(String(error))) throw new PoolerError({ cause: error });
    throw error;
  }
  if (!pooled && statementTimeoutMs > 0) await refusePooler(database, statementTimeoutMs);
  return database;
}

function sessionSettings({ relaxedCommits }: DatabaseOptions, statementTimeoutMs: number): object {
  return {
    statement_timeout: statementTimeoutMs,
    // Else a server that is suspended in the middle of a transaction would keep its locks.
    idle_in_transaction_session_timeout: 5000,
    ...(relaxedCommits === true ? { options: '-c synchronous_commit=off' } : {}),
  };
}

/** Poolers can be told to ignore startup parameters; Postgres never does. */
async function refusePooler(database: Database, statementTimeoutMs: number): Promise<void> {
  const [row]: { setting: string }[] = await database.query(
    `SELECT setting FROM pg_settings WHERE name = 'statement_timeout'`,
  );
  if (Number(row?.setting) === statementTimeoutMs) return;
  await database.destroy();
  throw new PoolerError();
}

/** Whether the database answers within this time. */
export async function answersWithin(database: Database, limitMs: number): Promise<boolean> {
  const timeout = new AbortController();
  const answer = database.query('SELECT 1').then(
    () => true,
    () => false,
  );
  const silence = delay(limitMs, false, { signal: timeout.signal }).catch(() => false);
  const answers = await Promise.race([answer, silence]);
  timeout.abort();
  return answers;
}

/** SQLSTATE class 08, the shutdown codes of class 57, and errors of the socket. */
const UNREACHABLE = new Set([
  '08000',
  '08001',
  '08003',
  '08004',
  '08006',
  '57P01',
  '57P02',
  '57P03',
  '53300',
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** Out of disk, memory, locks or time, or a serialization failure: the same call may succeed later. */
const OVERLOADED = new Set(['25P03', '40001', '40P01', '53100', '53200', '53400', '55P03', '57014', '58030']);

/** Text that Postgres can't store: a NUL, or half of a surrogate pair within JSON. */
const UNFIT_TEXT = new Set(['22021', '22P05']);

/** The error itself and what it wraps, outermost first. */
function* layersOf(
  error: unknown,
): Generator<Error & { readonly code?: unknown; readonly detail?: unknown }> {
  for (let layer = error; layer instanceof Error; ) {
    yield layer;
    const inner = (layer as { driverError?: unknown }).driverError ?? layer.cause;
    if (inner === layer) return;
    layer = inner;
  }
}

function hasCode(error: unknown, codes: ReadonlySet<string>): boolean {
  return [...layersOf(error)].some(({ code }) => typeof code === 'string' && codes.has(code));
}

function isUnreachable(error: unknown): boolean {
  const messages =
    /Connection terminated|timeout exceeded when trying to connect|Cannot use a pool|Query read timeout|not queryable|Query runner already released/;
  return hasCode(error, UNREACHABLE) || [...layersOf(error)].some(({ message }) => messages.test(message));
}

function isUnfitText(error: unknown): boolean {
  if (hasCode(error, UNFIT_TEXT)) return true;
  return [...layersOf(error)].some(
    ({ code, detail }) => code === '22P02' && /surrogate/i.test(String(detail)),
  );
}

/** SQLSTATE classes 22 and 23: what the statement was to store is wrong, and not the database or the statement. */
export function isRefusedData(error: unknown): error is Error {
  if (error instanceof ValidationError) return true;
  return [...layersOf(error)].some(({ code }) => typeof code === 'string' && /^2[23]/.test(code));
}

/**
 * Runs `work`; a database that is unreachable or overloaded becomes an UnavailableError, which callers may retry, and
 * text that it can't store becomes a ValidationError.
 */
async function withTranslatedErrors<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const retry = 'Retry; a call with an `idempotencyKey` takes effect once.';
    if (isUnreachable(error)) {
      throw new UnavailableError(`The database is unreachable. ${retry}`, { cause: error });
    }
    if (hasCode(error, OVERLOADED)) {
      throw new UnavailableError(`The database is overloaded. ${retry}`, { cause: error });
    }
    if (!isUnfitText(error)) throw error;
    const message = 'Text must not contain the NUL character (U+0000) or half of a surrogate pair.';
    throw new ValidationError([{ path: [], rule: 'characters', message }]);
  }
}
