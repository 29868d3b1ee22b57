import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { isIdOf } from '../domain/ids.ts';
import {
  type ByteRange,
  type ExpectedFile,
  sizeMismatch,
  UploadError,
  type UploadStore,
} from './upload-store.ts';

/** Left free for Postgres and NATS, which share the disk on one machine. */
const RESERVED_BYTES = 64 * 1024 * 1024;
const UNFINISHED = '.partial';

/**
 * Uploads as files: a folder for each, in which a complete one is named by its SHA-256 and one being written has a
 * random name. So two senders of one upload (the first may have stalled and been replaced) never write into each
 * other's file, and the row decides which file counts.
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

  async open(id: string, sha256: string, range: ByteRange): Promise<Readable> {
    try {
      const file = await open(path.join(this.#folderOf(id), sha256), 'r');
      return file.createReadStream(range);
    } catch (error) {
      if (!isAbsent(error)) throw error;
      throw new UploadError('UPLOAD_NOT_FOUND', `The file of upload ${id} is not on this server.`, {
        cause: error,
      });
    }
  }

  #folderOf(id: string): string {
    // Ids come from URLs; nothing else may become a path.
    if (!isIdOf('Upload', id)) throw new UploadError('UPLOAD_NOT_FOUND', 'This is not the id of an upload.');
    return path.join(this.#folder, id);
  }

  async #refuseWhenFull(sizeBytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    if (bavail * bsize >= sizeBytes + RESERVED_BYTES) return;
    throw new UploadError('STORAGE_FULL', 'The server has no space left for this file.');
  }
}

/** Removes what an earlier sender left; if that one is still sending, it fails at the end. */
async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith(UNFINISHED)) await rm(path.join(folder, name), { force: true });
  }
}

/** @returns false when the file is gone because another sender has taken over. */
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

/** One chunk at a time: the next is read once this one is written. */
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
      throw sizeMismatch(expected.sizeBytes, 'more were sent');
    }
    hash.update(chunk);
    await writeFully(file, chunk);
  }
  expected.signal.throwIfAborted();
  if (sizeBytes !== expected.sizeBytes) {
    throw sizeMismatch(expected.sizeBytes, `${sizeBytes} were sent`);
  }
  const sha256 = hash.digest('hex');
  if (expected.sha256 !== null && expected.sha256 !== sha256) {
    throw new UploadError(
      'UPLOAD_HASH_MISMATCH',
      `The file has the SHA-256 ${sha256}, but createUpload announced ${expected.sha256}. Nothing was stored.`,
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

/** Translates an error of the file system or the connection. */
export function asUploadError(error: unknown, signal: AbortSignal): unknown {
  if (error instanceof UploadError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new UploadError('STORAGE_FULL', 'The server has no space left for this file.', { cause: error });
  }
  const isSenderGone = signal.aborted || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
  if (!isSenderGone) return error;
  return new UploadError('UPLOAD_INTERRUPTED', 'The file ended early. Nothing was stored; send it again.', {
    cause: error,
  });
}
