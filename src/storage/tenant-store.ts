import type { DataSource } from 'typeorm';
import type { TenantStore } from '../app/ports.ts';
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
