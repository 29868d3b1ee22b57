import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import contentDisposition from 'content-disposition';
import type { SignatureCheck } from '../auth/signed-url.ts';
import type { LocalUploadStore } from '../uploads/local-store.ts';
import { type UploadDeps, UploadError, type UploadErrorCode } from '../uploads/upload-store.ts';
import { findStoredUpload, receiveUpload } from '../uploads/uploads.ts';
import { HttpError, sendJson } from './http-error.ts';
import { parseRange } from './range.ts';
import { continueIfAsked } from './request-body.ts';

export interface UploadRoutesDeps {
  readonly uploads: UploadDeps & { readonly store: LocalUploadStore };
  readonly links: { check(method: string, url: URL): SignatureCheck };
}

const STATUS: Readonly<Record<UploadErrorCode, number>> = {
  UPLOAD_NOT_FOUND: 404,
  UPLOAD_NOT_STORED: 409,
  UPLOAD_ALREADY_USED: 409,
  UPLOAD_IN_PROGRESS: 409,
  UPLOAD_TOO_LARGE: 413,
  UPLOAD_SIZE_MISMATCH: 422,
  UPLOAD_HASH_MISMATCH: 422,
  UPLOAD_INTERRUPTED: 400,
  STORAGE_FULL: 507,
};

/** @throws HttpError 403, 410 */
export function requireSignature(check: SignatureCheck): void {
  if (check === 'VALID') return;
  if (check === 'EXPIRED') {
    throw new HttpError(410, 'URL_EXPIRED', 'This URL has expired; ask the API for a new one.');
  }
  throw new HttpError(403, 'SIGNATURE_INVALID', 'The signature of this URL is not valid for this request.');
}

/** `PUT /uploads/:id`: the body is the file. */
export async function putUpload(
  { uploads, links }: UploadRoutesDeps,
  id: string,
  url: URL,
  req: IncomingMessage,
  res: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  requireSignature(links.check('PUT', url));
  const body = {
    contentLength: contentLengthOf(req),
    signal,
    open: () => {
      // Only now is the sender told to go on, so that a refused file is never sent.
      continueIfAsked(req, res);
      // Making a large file durable takes its time, and nothing moves meanwhile.
      req.once('end', () => req.socket.setTimeout(0));
      return req;
    },
  };
  try {
    const stored = await receiveUpload(uploads, id, body);
    sendJson(res, 201, stored);
  } catch (error) {
    throw asHttpError(error);
  }
}

/** `GET` or `HEAD /uploads/:id/content`: a stored file, whole or one range of it (RFC 9110 section 14). */
export async function getUploadContent(
  { uploads, links }: UploadRoutesDeps,
  id: string,
  url: URL,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  requireSignature(links.check(req.method ?? 'GET', url));
  const upload = await findStoredUpload(uploads, id).catch(refuse);
  const etag = `"${upload.storedSha256}"`;
  const isWholeWanted = req.headers['if-range'] !== undefined && req.headers['if-range'] !== etag;
  const range = isWholeWanted ? null : parseRange(req.headers.range, upload.sizeBytes);
  const { start, end } = range ?? { start: 0, end: upload.sizeBytes - 1 };
  // Opened before anything is promised, so that a file that is not here is a clear 404.
  const file = await uploads.store.open(id, upload.storedSha256).catch(refuse);
  res.writeHead(range === null ? 200 : 206, {
    'content-type': upload.contentType,
    'content-length': end - start + 1,
    'content-disposition': contentDisposition(upload.filename),
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-store',
    etag,
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${end}/${upload.sizeBytes}` }),
  });
  if (req.method === 'HEAD') {
    await file.close();
    res.end();
    return;
  }
  await pipeline(file.createReadStream({ start, end }), res);
}

function contentLengthOf(req: IncomingMessage): number | null {
  const header = req.headers['content-length'];
  return header === undefined ? null : Number(header);
}

function refuse(error: unknown): never {
  throw asHttpError(error);
}

function asHttpError(error: unknown): unknown {
  if (!(error instanceof UploadError)) return error;
  return new HttpError(STATUS[error.code], error.code, error.message);
}
