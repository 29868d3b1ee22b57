import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import contentDisposition from 'content-disposition';
import { parseExportUrl } from '../auth/signed-links.ts';
import type { SignatureCheck } from '../auth/signed-url.ts';
import type { ExportRequest } from '../captions/export-options.ts';
import { HttpError } from './http-error.ts';
import { requireSignature } from './upload-routes.ts';

export interface ExportRouteDeps {
  readonly links: { check(method: string, url: URL): SignatureCheck };
  readonly openExport: OpenExport;
  /** Refuses work beyond what is written at once. @throws UnavailableError */
  readonly limitExports: <Result>(work: () => Promise<Result>) => Promise<Result>;
}

export type OpenExport = (jobId: string, request: ExportRequest) => Promise<ExportFile | null>;

/** A transcript in a file format; `chunks` are read as fast as the client takes them. */
export interface ExportFile {
  readonly contentType: string;
  /** Name to save it as. */
  readonly filename: string;
  readonly chunks: AsyncIterable<string>;
}

/** `GET` or `HEAD /exports/:jobId.<format>`; the signature stands for the right to read. */
export async function getExport(
  deps: ExportRouteDeps,
  url: URL,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  requireSignature(deps.links.check(req.method ?? 'GET', url));
  const wanted = parseExportUrl(url);
  await deps.limitExports(() => sendExport(deps, wanted, req, res));
}

async function sendExport(
  { openExport }: ExportRouteDeps,
  wanted: ReturnType<typeof parseExportUrl>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const file = wanted === null ? null : await openExport(wanted.jobId, wanted.request);
  if (file === null) {
    throw new HttpError(404, 'EXPORT_NOT_FOUND', 'There is no such transcript, or nothing of it yet.');
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
