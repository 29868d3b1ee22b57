import type { Logger } from '../observability/logger.ts';
import { MIGRATIONS, openDatabase } from './database.ts';

/** An arbitrary number that every server uses. */
const MIGRATION_LOCK = 7_221_905;

/** The schema of the database is newer than this server's, or migrations are missing. */
export class SchemaMismatchError extends Error {
  override readonly name = 'SchemaMismatchError';
}

/** Migrates the database to the schema of this version. Concurrent calls wait for each other. */
export async function migrate(databaseUrl: string, log: Logger): Promise<void> {
  const database = await openDatabase({ url: databaseUrl, poolSize: 2, log });
  try {
    const lock = database.createQueryRunner();
    try {
      await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
      await refuseUnknownSchema(database);
      const applied = await database.runMigrations({ transaction: 'each' });
      for (const migration of applied) log.info({ migration: migration.name }, 'migration applied');
    } finally {
      await lock.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      await lock.release();
    }
  } finally {
    await database.destroy();
  }
}

type Database = Awaited<ReturnType<typeof openDatabase>>;

async function appliedMigrations(database: Database): Promise<readonly string[]> {
  const [table] = await database.query(`SELECT to_regclass('migrations') AS name`);
  if (table.name === null) return [];
  const rows: { name: string }[] = await database.query('SELECT name FROM migrations ORDER BY id');
  return rows.map((row) => row.name);
}

async function refuseUnknownSchema(database: Database): Promise<void> {
  const known = new Set(MIGRATIONS.map((migration) => migration.name));
  const unknown = (await appliedMigrations(database)).filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new SchemaMismatchError(
      `The database has migrations that this version lacks (${unknown.join(', ')}), so a newer version used it. ` +
        'Start that version, or restore the backup taken before it.',
    );
  }
}

/** @throws SchemaMismatchError with the migrations and a remedy. */
export async function assertSchemaIsCurrent(database: Database): Promise<void> {
  await refuseUnknownSchema(database);
  const applied = new Set(await appliedMigrations(database));
  const missing = MIGRATIONS.map((migration) => migration.name).filter((name) => !applied.has(name));
  if (missing.length > 0) {
    throw new SchemaMismatchError(
      `The database lacks ${missing.length} migration(s) (${missing.join(', ')}). Run \`npm run migrate\` first.`,
    );
  }
}
