import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { DataSource } from 'typeorm';
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
  /** No statement runs longer; 0 means no limit. A connection that is silent for a third longer is ended. */
  readonly statementTimeoutMs?: number;
  /**
   * True where a commit may be forgotten in a crash of Postgres, since what it says can be found out again: it then
   * does not wait for the disk.
   */
  readonly relaxedCommits?: boolean;
}

/** Opens the pool; the first connection is made at once, so that a wrong URL fails here. */
export async function openDatabase(options: DatabaseOptions): Promise<DataSource> {
  const statementTimeoutMs = options.statementTimeoutMs ?? 0;
  const silenceMs = Math.ceil((statementTimeoutMs * 4) / 3);
  const dataSource = new DataSource({
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
      statement_timeout: statementTimeoutMs,
      // A server that is stopped in the middle of a transaction must not hold its locks for ever.
      idle_in_transaction_session_timeout: 5000,
      ...KEEP_ALIVE,
      // Closed by the pool before their silence means something.
      ...(silenceMs > 0 ? { idleTimeoutMillis: Math.ceil(silenceMs / 2) } : {}),
      onConnect: (client: pg.ClientBase) => {
        if (silenceMs > 0) endWhenSilent(client, silenceMs);
      },
      ...(options.relaxedCommits === true ? { options: '-c synchronous_commit=off' } : {}),
    },
  });
  return dataSource.initialize();
}

/** Whether the database answers at all, found out within this time. */
export async function answersWithin(database: DataSource, limitMs: number): Promise<boolean> {
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

/** Class 08 and the shutdown codes of class 57, and what node-postgres raises when nobody answers. */
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

/** Lack of room, locks, time or luck: the database works, and the same call may succeed later. */
const OVERBURDENED = new Set([
  '25P03',
  '40001',
  '40P01',
  '53100',
  '53200',
  '53400',
  '55P03',
  '57014',
  '58030',
]);

/** What callers send as text and Postgres can't hold: a NUL, or half a surrogate pair within JSON. */
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
  const said =
    /Connection terminated|timeout exceeded when trying to connect|Cannot use a pool|Query read timeout|not queryable|Query runner already released/;
  return hasCode(error, UNREACHABLE) || [...layersOf(error)].some(({ message }) => said.test(message));
}

function isUnfitText(error: unknown): boolean {
  if (hasCode(error, UNFIT_TEXT)) return true;
  return [...layersOf(error)].some(
    ({ code, detail }) => code === '22P02' && /surrogate/i.test(String(detail)),
  );
}

/** True for a breach of the named unique index. */
export function isDuplicate(error: unknown, index: string): boolean {
  const inner = (error as { driverError?: { code?: string; constraint?: string } }).driverError;
  return inner?.code === '23505' && inner.constraint === index;
}

/**
 * A statement that a connection plans once, not each time: for those that run at every step, whose planning takes
 * longer than they do. The text of a name never changes, and it returns no `*`.
 */
export async function queryPrepared<Row>(
  database: DataSource,
  statement: { readonly name: string; readonly text: string },
  values: readonly unknown[],
): Promise<Row[]> {
  const { master } = database.driver as unknown as { readonly master: pg.Pool };
  const { rows } = await master.query({ ...statement, values: [...values] });
  return rows;
}

/**
 * Runs `work`, turning a database that can't be reached or is overburdened into the error callers may retry on, and text
 * that it can't hold into one about the input.
 */
export async function whenReachable<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const again = 'Try again; a call with an `idempotencyKey` takes effect once.';
    if (isUnreachable(error)) {
      throw new UnavailableError(`The database cannot be reached just now. ${again}`, { cause: error });
    }
    if (hasCode(error, OVERBURDENED)) {
      throw new UnavailableError(`The database is out of room or too busy just now. ${again}`, {
        cause: error,
      });
    }
    if (!isUnfitText(error)) throw error;
    const message = 'Text must not hold the NUL character (U+0000) or half of a surrogate pair.';
    throw new ValidationError([{ path: [], rule: 'characters', message }]);
  }
}

/** The same port, every method of which throws UnavailableError while the database can't be reached. */
export function guarded<Port extends object>(port: Port): Port {
  return new Proxy(port, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => whenReachable(() => member.apply(target, args));
    },
  });
}
