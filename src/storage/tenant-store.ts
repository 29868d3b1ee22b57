import type { Engine } from '../domain/vocabulary.ts';
import type { Database } from './database.ts';

export function createTenantStore(database: Database) {
  return {
    /** Engines of a job that names none; null when the tenant has no default of its own. */
    async defaultEngines(tenantId: string): Promise<readonly Engine[] | null> {
      const [row]: { default_engines: Engine[] | null }[] = await database.query(
        'SELECT default_engines FROM tenants WHERE id = $1',
        [tenantId],
      );
      return row?.default_engines ?? null;
    },
  };
}
