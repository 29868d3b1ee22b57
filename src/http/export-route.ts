import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import contentDisposition from 'content-disposition';
import type { Api } from '../app/application.ts';
import { parseExportUrl } from '../auth/signed-links.ts';
import { HttpError } from './http-error.ts';

/** `GET` or `HEAD /exports/:jobId.<format>` with a signed link. */
export async function getExport(
  api: Api,
  url: URL,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const wanted = parseExportUrl(url);
  const file =
    wanted === null ? null : await api.transcripts.openExport({ jobId: wanted.jobId, ...wanted.request });
  if (file === null) {
    throw new HttpError(404, 'EXPORT_NOT_FOUND', 'There is no such transcript, or it is still empty.');
  }
  res.writeHead(200, {
    'content-type': file.contentType,
    'content-disposition': contentDisposition(file.filename),
    'cache-control': 'private, no-store',
  });
  if (req.method === 'HEAD') {
    res.end();
    return;
  }
  await pipeline(Readable.from(file.chunks), res);
}
