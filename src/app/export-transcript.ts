import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { SignedLinks } from '../auth/signed-links.ts';
import { highlightsWords } from '../captions/caption-rules.ts';
import {
  EXPORT_FORMATS,
  type ExportFormat,
  ExportOptions,
  type ExportRequest,
} from '../captions/export-options.ts';
import { contentTypeOf, fileExtensionOf, transcriptWriter } from '../captions/transcript-formats.ts';
import type { Environment } from '../domain/environment.ts';
import { ValidationError } from '../domain/errors.ts';
import type { JobView } from '../domain/job-view.ts';
import type { Principal } from '../domain/principal.ts';
import type { Segment } from '../domain/transcript.ts';
import { validate } from '../domain/validate.ts';
import type { Storage } from '../storage/open-storage.ts';

/** Files up to this size are part of the answer; larger ones are fetched from the URL. */
const MAX_INLINE_BYTES = 256 * 1024;
const LINK_LIFETIME_MS = 3_600_000;
const PAGE_SIZE = 500;

export const ExportInput = z.object({
  jobId: z.string(),
  format: z.enum(EXPORT_FORMATS),
  options: ExportOptions,
});
export type ExportInput = z.input<typeof ExportInput>;

export interface ExportView {
  readonly format: ExportFormat;
  readonly contentType: string;
  /** Null above 256 KiB: fetch `url`. */
  readonly content: string | null;
  readonly url: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly expiresAt: Date;
}

/** A transcript as a file; `chunks` are read as fast as the client takes them. */
export interface ExportFile {
  readonly contentType: string;
  /** Name to save it as. */
  readonly filename: string;
  readonly chunks: AsyncGenerator<string, void, void>;
}

export interface ExportDeps extends Pick<Storage, 'reader'> {
  readonly links: SignedLinks;
  readonly environment: Pick<Environment, 'now'>;
}

/**
 * Opens a transcript as a file, which is read a page of segments at a time; null while there is no segment, or no such
 * job.
 *
 * @throws ValidationError.
 */
export async function openExport(
  { reader }: Pick<Storage, 'reader'>,
  by: Principal,
  input: ExportInput,
): Promise<ExportFile | null> {
  const { jobId, ...request } = validate(ExportInput, input, []);
  const job = (await reader.find(by.tenantId, [jobId])).get(jobId);
  if (job === undefined) return null;
  requireWordTimes(job, request);
  const first = await reader.segments(by.tenantId, jobId, 0, PAGE_SIZE);
  if (first.length === 0) return null;
  return {
    contentType: contentTypeOf(request.format),
    filename: exportFilename(job, request.format),
    chunks: writePages(reader, job, request, first),
  };
}

function requireWordTimes(job: JobView, { format, options }: ExportRequest): void {
  const marksWords = (format === 'SRT' || format === 'VTT') && highlightsWords(options);
  if (!marksWords || job.options.timestamps === 'WORD') return;
  const field = options.highlightWords === null ? 'preset' : 'highlightWords';
  const message = `\`${field}\` marks words, and this transcript has no word times; submit with \`timestamps: WORD\`.`;
  throw new ValidationError([{ path: ['options', field], rule: 'unsupported', message }], 'UNSUPPORTED');
}

async function* writePages(
  reader: Storage['reader'],
  job: JobView,
  { format, options }: ExportRequest,
  first: readonly Segment[],
): AsyncGenerator<string, void, void> {
  const { durationSeconds } = job.audio;
  const transcript = {
    language: job.transcript?.language ?? null,
    durationMs: durationSeconds === null ? null : Math.round(durationSeconds * 1000),
  };
  const writer = transcriptWriter(format, transcript, options);
  yield writer.head;
  let page = first;
  for (let read = page.length; ; read += page.length) {
    yield [...writer.segments(page)].join('');
    if (page.length < PAGE_SIZE) break;
    page = await reader.segments(job.tenantId, job.id, read, PAGE_SIZE);
  }
  yield writer.end();
}

/** Direction overrides among them could disguise the extension of a file. */
const INVISIBLE_IN_NAMES = /[\p{Bidi_Control}\p{Cc}]/gu;

/** The recording's name with the extension of the format. */
export function exportFilename(job: JobView, format: ExportFormat): string {
  const name = (job.audio.filename ?? job.id).replace(INVISIBLE_IN_NAMES, '');
  const stem = name.replace(/\.[^.]*$/, '') || job.id;
  return `${stem}.${fileExtensionOf(format)}`;
}

/** Describes the whole transcript as a file, with its content when it is small; null as for `openExport`. */
export async function describeExport(
  deps: ExportDeps,
  by: Principal,
  input: ExportInput,
): Promise<ExportView | null> {
  const request = validate(ExportInput, input, []);
  const file = await openExport(deps, by, input);
  if (file === null) return null;
  const hash = createHash('sha256');
  const inline: string[] = [];
  let sizeBytes = 0;
  for await (const chunk of file.chunks) {
    hash.update(chunk);
    sizeBytes += Buffer.byteLength(chunk);
    if (sizeBytes <= MAX_INLINE_BYTES) inline.push(chunk);
  }
  const expiresAt = new Date(deps.environment.now().getTime() + LINK_LIFETIME_MS);
  return {
    format: request.format,
    contentType: file.contentType,
    content: sizeBytes <= MAX_INLINE_BYTES ? inline.join('') : null,
    url: deps.links.exportUrl(by.tenantId, request.jobId, request, expiresAt),
    sizeBytes,
    sha256: hash.digest('hex'),
    expiresAt,
  };
}
