import type { Principal } from '../domain/principal.ts';
import { type CreateUploadInput, createUpload, findUploads } from './create-upload.ts';
import { receiveUpload, type UploadBody } from './receive-upload.ts';
import { findStoredFile } from './stored-upload.ts';
import type { UploadDeps } from './upload-deps.ts';

/** What a principal may do with uploads. */
export function uploadApi(deps: UploadDeps, by: Principal) {
  return {
    create: (input: CreateUploadInput) => createUpload(deps, by, input),
    /** In the order of the ids; null where absent or expired. */
    find: (ids: readonly string[]) => findUploads(deps, by, ids),
    receive: (id: string, body: UploadBody) => receiveUpload(deps, by, id, body),
    findStored: (id: string) => findStoredFile(deps, by, id),
  };
}
