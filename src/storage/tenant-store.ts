import type { DataSource } from 'typeorm';
import type { Engine } from '../domain/vocabulary.ts';
import { whenReachable } from './database.ts';

export function createTenantStore(database: DataSource): TenantStore {
  return {
    async defaultEngines(tenantId) {
      const [row]: { default_engines: Engine[] | null }[] = await whenReachable(() =>
        database.query('SELECT default_engines FROM tenants WHERE id = $1', [tenantId]),
      );
      return row?.default_engines ?? null;
    },
  };
}

export interface TenantStore {
  /** Engines of a job that names none; null when the tenant has no wish of its own. */
  defaultEngines(tenantId: string): Promise<readonly Engine[] | null>;
}
