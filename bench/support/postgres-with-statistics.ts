import pg from 'pg';
import type { LocalService } from '../../src/local/local-service.ts';
import { startPostgres } from '../../src/local/postgres.ts';
import type { Logger } from '../../src/observability/logger.ts';

/** The bundled Postgres, durable, with `pg_stat_statements`: it has to be there when the server starts. */
export async function startPostgresWithStatistics(dataDirectory: string, log: Logger): Promise<LocalService> {
  const first = await startPostgres({ dataDirectory, durable: true, log });
  try {
    await execute(first.url, "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'");
  } finally {
    await first.stop();
  }
  const postgres = await startPostgres({ dataDirectory, durable: true, log });
  await execute(postgres.url, 'CREATE EXTENSION pg_stat_statements');
  return postgres;
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
