import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { isIdOf } from '../domain/ids.ts';
import { type ExpectedFile, UploadError, type UploadStore } from './upload-store.ts';
import { sizeMismatch } from './uploads.ts';

/** Left free for Postgres and NATS, which share the disk on one machine. */
const RESERVED_BYTES = 64 * 1024 * 1024;
const UNFINISHED = '.partial';

/**
 * Uploads as files: a folder for each, in which a complete one is named by its SHA-256 and one being written has a
 * name of its own. So two senders of one upload, the first of which was taken for gone, never write into each
 * other's file, and the row decides whose counts.
 */
export class LocalUploadStore implements UploadStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async receive(
    id: string,
    body: AsyncIterable<Uint8Array>,
    expected: ExpectedFile,
  ): Promise<{ readonly sha256: string }> {
    const folder = this.#folderOf(id);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await this.#refuseWhenFull(expected.sizeBytes);
    await removeUnfinished(folder);
    const partial = path.join(folder, `${randomUUID()}${UNFINISHED}`);
    const file = await open(partial, 'wx', 0o600);
    let sha256: string;
    try {
      sha256 = await writeChecked(file, body, expected);
      await file.sync();
      await file.close();
      await rename(partial, path.join(folder, sha256));
    } catch (error) {
      await file.close();
      throw (await removeOwn(partial)) ? asUploadError(error, expected.signal) : takenOver(error);
    }
    await syncFolder(folder);
    await syncFolder(this.#folder);
    return { sha256 };
  }

  async remove(id: string): Promise<void> {
    await rm(this.#folderOf(id), { recursive: true, force: true });
  }

  /** @throws UploadError UPLOAD_NOT_FOUND when this machine does not have the file. */
  async open(id: string, sha256: string): Promise<FileHandle> {
    try {
      return await open(path.join(this.#folderOf(id), sha256), 'r');
    } catch (error) {
      if (!isAbsent(error)) throw error;
      throw new UploadError('UPLOAD_NOT_FOUND', `The file of upload ${id} is not on this server.`, {
        cause: error,
      });
    }
  }

  #folderOf(id: string): string {
    // Ids come from URLs; nothing else may become a path.
    if (!isIdOf('Upload', id)) throw new UploadError('UPLOAD_NOT_FOUND', 'That is no id of an upload.');
    return path.join(this.#folder, id);
  }

  async #refuseWhenFull(sizeBytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    if (bavail * bsize >= sizeBytes + RESERVED_BYTES) return;
    throw new UploadError('STORAGE_FULL', 'The server has no room for this file now.');
  }
}

/** What a sender that is gone, or was taken for gone, has left: it cannot publish it any more. */
async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith(UNFINISHED)) await rm(path.join(folder, name), { force: true });
  }
}

/** @returns false when it is gone, because another sender has taken over. */
async function removeOwn(partial: string): Promise<boolean> {
  try {
    await rm(partial);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

function takenOver(cause: unknown): UploadError {
  const message = 'Another request has taken over sending this upload.';
  return new UploadError('UPLOAD_IN_PROGRESS', message, { cause });
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** One chunk at a time: the next is read when this one is on its way to disk. */
async function writeChecked(
  file: FileHandle,
  body: AsyncIterable<Uint8Array>,
  expected: ExpectedFile,
): Promise<string> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of body) {
    expected.signal.throwIfAborted();
    sizeBytes += chunk.byteLength;
    if (sizeBytes > expected.sizeBytes) {
      throw new UploadError('UPLOAD_SIZE_MISMATCH', sizeMismatch(expected.sizeBytes, 'more were sent'));
    }
    hash.update(chunk);
    await writeFully(file, chunk);
  }
  expected.signal.throwIfAborted();
  if (sizeBytes !== expected.sizeBytes) {
    throw new UploadError('UPLOAD_SIZE_MISMATCH', sizeMismatch(expected.sizeBytes, `${sizeBytes} were sent`));
  }
  const sha256 = hash.digest('hex');
  if (expected.sha256 !== null && expected.sha256 !== sha256) {
    throw new UploadError(
      'UPLOAD_HASH_MISMATCH',
      `createUpload was told SHA-256 ${expected.sha256}, but the file has ${sha256}. Nothing was kept.`,
    );
  }
  return sha256;
}

/** A write near the end of the disk may be short without an error. */
async function writeFully(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.byteLength; ) {
    const { bytesWritten } = await file.write(chunk, written, chunk.byteLength - written);
    written += bytesWritten;
  }
}

/** Makes the rename itself survive a power cut. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What the system says, in words of the product. */
export function asUploadError(error: unknown, signal: AbortSignal): unknown {
  if (error instanceof UploadError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new UploadError('STORAGE_FULL', 'The server has no room for this file now.', { cause: error });
  }
  const isSenderGone = signal.aborted || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
  if (!isSenderGone) return error;
  return new UploadError('UPLOAD_INTERRUPTED', 'The file ended early. Nothing was kept; send it again.', {
    cause: error,
  });
}
