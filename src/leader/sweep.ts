import type { Environment } from '../domain/environment.ts';
import type { Database } from '../storage/database.ts';
import type { JobStore } from '../storage/job-store.ts';
import { deleteOldRecords } from '../storage/old-records.ts';
import { sweepExpiredUploads } from '../uploads/stored-upload.ts';
import type { UploadDeps } from '../uploads/upload-deps.ts';
import { deleteExpired } from './delete-expired.ts';

export interface SweepOptions {
  readonly database: Database;
  readonly store: JobStore;
  readonly uploads: UploadDeps;
  readonly environment: Environment;
}

/** Removes what is past its retention, a bounded amount each time. */
export async function sweep({ database, store, uploads, environment }: SweepOptions): Promise<void> {
  const now = environment.now();
  await deleteOldRecords(database, now);
  await deleteExpired(store, now);
  await sweepExpiredUploads(uploads);
}
