import type { Environment } from '../domain/environment.ts';
import type { Logger } from '../observability/logger.ts';
import { Loop } from '../process/loop.ts';
import type { Database } from '../storage/database.ts';
import type { JobStore } from '../storage/job-store.ts';
import { deleteOldRecords } from '../storage/old-records.ts';
import { sweepExpiredUploads } from '../uploads/stored-upload.ts';
import type { UploadDeps } from '../uploads/upload-deps.ts';
import { deleteExpired } from './delete-expired.ts';

const SWEEP_INTERVAL_MS = 60_000;

export interface SweepOptions {
  readonly database: Database;
  readonly store: JobStore;
  readonly uploads: UploadDeps;
  readonly environment: Environment;
  readonly log: Logger;
}

/** Remove what is past its retention, a bounded amount each time. Each is a loop of its own, so that none stops another. */
export function createSweeps({ database, store, uploads, environment, log }: SweepOptions): readonly Loop[] {
  const sweeps = {
    jobs: () => deleteExpired(store, environment.now(), log),
    uploads: async () => void (await sweepExpiredUploads(uploads)),
    records: () => deleteOldRecords(database, environment.now()),
  };
  return Object.entries(sweeps).map(
    ([name, step]) => new Loop({ name: `sweep.${name}`, intervalMs: SWEEP_INTERVAL_MS, log, step }),
  );
}
