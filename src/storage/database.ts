import type pg from 'pg';
import { DataSource } from 'typeorm';
import { CreateTables1763769600000 } from '../../migrations/1763769600000-create-tables.ts';
import { UnavailableError } from '../domain/errors.ts';
import type { Logger } from '../observability/logger.ts';
import { TABLES } from './tables.ts';

/** Every migration, in order. Listed by hand: globs fail silently. */
export const MIGRATIONS = [CreateTables1763769600000] as const;

export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly log: Logger;
  /** No statement runs longer; 0 means no limit. */
  readonly statementTimeoutMs?: number;
}

/** Opens the pool; the first connection is made at once, so that a wrong URL fails here. */
export async function openDatabase(options: DatabaseOptions): Promise<DataSource> {
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
      statement_timeout: options.statementTimeoutMs ?? 0,
      // A server that is stopped in the middle of a transaction must not hold its locks for ever.
      idle_in_transaction_session_timeout: 5000,
      keepAlive: true,
    },
  });
  return dataSource.initialize();
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

/** True when the database could not be asked at all, so that the same call may succeed later. */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string' && UNREACHABLE.has(code)) return true;
  if (/Connection terminated|timeout exceeded when trying to connect|Cannot use a pool/.test(error.message))
    return true;
  const inner = (error as { driverError?: unknown }).driverError ?? error.cause;
  return inner !== undefined && inner !== error && isUnreachable(inner);
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

/** Runs `work`, turning a database that can't be reached into the error callers may retry on. */
export async function whenReachable<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    throw new UnavailableError(
      'The database cannot be reached just now. Try again; a call with an `idempotencyKey` takes effect once.',
      { cause: error },
    );
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
