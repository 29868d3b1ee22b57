import { resolve } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { exportFilename, openExport } from './app/export-transcript.ts';
import { ANONYMOUS } from './auth/authenticate.ts';
import { SignedLinks } from './auth/signed-links.ts';
import type { ExportRequest } from './captions/export-options.ts';
import { contentTypeOf } from './captions/transcript-formats.ts';
import { environment } from './compose-environment.ts';
import type { Storage } from './compose-storage.ts';
import type { ServerConfig } from './config/config.ts';
import { toId } from './domain/ids.ts';
import type { ExportFile } from './http/export-route.ts';
import type { JobReader } from './storage/job-reader.ts';
import { LocalUploadStore } from './uploads/local-store.ts';
import { PostgresUploadRepository } from './uploads/upload-repository.ts';
import type { UploadDeps } from './uploads/upload-store.ts';

export interface Edge {
  /** Where clients reach the server; known for sure once it listens. */
  baseUrl: string;
  readonly links: SignedLinks;
  readonly uploads: UploadDeps & { readonly store: LocalUploadStore };
}

export function createEdge(config: ServerConfig, storage: Storage): Edge {
  const edge = { baseUrl: config.PUBLIC_URL ?? `http://${config.HOST}:${config.PORT}` };
  const links = new SignedLinks({
    secret: storage.linkSecret,
    baseUrl: () => edge.baseUrl,
    workerBaseUrl: () => config.WORKER_URL ?? edge.baseUrl,
  });
  const uploads = {
    repository: new PostgresUploadRepository((sql, parameters) => storage.database.query(sql, parameters)),
    store: new LocalUploadStore(resolve(config.DATA_DIR, 'uploads')),
    links,
    maxBytes: config.MAX_AUDIO_BYTES,
    ttlMs: config.UPLOAD_TTL_SECONDS * 1000,
    now: environment.now,
    newId: () => toId('Upload', uuidv7()),
  };
  return Object.assign(edge, { links, uploads });
}

export async function openExportFile(
  reader: JobReader,
  jobId: string,
  request: ExportRequest,
): Promise<ExportFile | null> {
  const job = (await reader.find(ANONYMOUS.tenantId, [jobId])).get(jobId);
  const chunks = job === undefined ? null : await openExport({ reader }, job, request);
  if (job === undefined || chunks === null) return null;
  return { contentType: contentTypeOf(request.format), filename: exportFilename(job, request), chunks };
}
