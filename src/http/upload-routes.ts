import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import contentDisposition from 'content-disposition';
import type { Api } from '../app/application.ts';
import { UploadError, type UploadErrorCode } from '../uploads/upload-store.ts';
import { HttpError, sendJson } from './http-error.ts';
import { parseRange } from './range.ts';
import { continueIfAsked } from './request-body.ts';

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

/** `PUT /uploads/:id`: the body is the file. */
export async function putUpload(
  api: Api,
  id: string,
  req: IncomingMessage,
  res: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { 'content-length': length } = req.headers;
  const body = {
    contentLength: length === undefined ? null : Number(length),
    signal,
    open: () => {
      // Not earlier, so that a client which waits for leave never sends a file that is refused.
      continueIfAsked(req, res);
      // Making a large file durable takes its time, during which the connection is idle.
      req.once('end', () => req.socket.setTimeout(0));
      return req;
    },
  };
  const stored = await api.uploads.receive(id, body).catch(refuse);
  sendJson(res, 201, stored);
}

/** `GET` or `HEAD /uploads/:id/content`: a stored file, whole or one range of it (RFC 9110 section 14). */
export async function getUploadContent(
  api: Api,
  id: string,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const file = await api.uploads.findStored(id).catch(refuse);
  const etag = `"${file.sha256}"`;
  const isWholeWanted = req.headers['if-range'] !== undefined && req.headers['if-range'] !== etag;
  const range = isWholeWanted ? null : parseRange(req.headers.range, file.sizeBytes);
  const { start, end } = range ?? { start: 0, end: file.sizeBytes - 1 };
  // Opened before the headers are sent, so that a missing file is a clear 404.
  const content = await file.open({ start, end }).catch(refuse);
  res.writeHead(range === null ? 200 : 206, {
    'content-type': file.contentType,
    'content-length': end - start + 1,
    'content-disposition': contentDisposition(file.filename),
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-store',
    etag,
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${end}/${file.sizeBytes}` }),
  });
  if (req.method === 'HEAD') {
    content.destroy();
    res.end();
    return;
  }
  await pipeline(content, res);
}

function refuse(error: unknown): never {
  if (!(error instanceof UploadError)) throw error;
  throw new HttpError(STATUS[error.code], error.code, error.message);
}
