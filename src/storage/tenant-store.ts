import type { Engine } from '../domain/vocabulary.ts';
import type { Database } from './database.ts';

/** How long a change may take to be seen. */
const CACHED_MS = 5_000;

export function createTenantStore(database: Database) {
  let cache = new Map<string, Promise<readonly Engine[] | null>>();
  let freshUntil = 0;

  const read = async (tenantId: string): Promise<readonly Engine[] | null> => {
    const [row]: { default_engines: Engine[] | null }[] = await database.query(
      'SELECT default_engines FROM tenants WHERE id = $1',
      [tenantId],
    );
    return row?.default_engines ?? null;
  };

  return {
    /** Engines of a job that names none; null when the tenant has no default of its own. */
    defaultEngines(tenantId: string): Promise<readonly Engine[] | null> {
      const now = performance.now();
      if (now >= freshUntil) [cache, freshUntil] = [new Map(), now + CACHED_MS];
      const engines = cache.get(tenantId) ?? read(tenantId);
      cache.set(tenantId, engines);
      engines.catch(() => cache.delete(tenantId));
      return engines;
    },
  };
}
