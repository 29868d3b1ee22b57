import { ValidationError } from '../domain/errors.ts';
import type { Segment } from '../domain/transcript.ts';
import { contentTypeOf, fileExtensionOf, formatTranscript } from '../domain/transcript-formats.ts';
import type { ExportRequest, ExportView, JobView, Principal } from './application.ts';
import type { JobReader } from './ports.ts';

/** Content up to this size comes in the answer; more is fetched from the URL. */
const MAX_INLINE_BYTES = 256 * 1024;
const LINK_LIFETIME_MS = 3_600_000;
const PAGE_SIZE = 500;

export interface ExportPorts {
  readonly reader: JobReader;
  readonly now: () => Date;
  readonly exportUrl: (jobId: string, request: ExportRequest, expiresAt: Date) => string;
  /** A SHA-256 that is fed piece by piece. */
  readonly startHash: () => { update(text: string): void; hex(): string };
}

/** The whole transcript in a file format; null while there is no segment or no such job. */
export async function exportTranscript(
  ports: ExportPorts,
  by: Principal,
  jobId: string,
  request: ExportRequest,
): Promise<ExportView | null> {
  checkOptions(request);
  const job = (await ports.reader.find(by.tenantId, [jobId])).get(jobId);
  if (job === undefined) return null;
  const pieces = await openExport(ports, job, request);
  if (pieces === null) return null;
  const hash = ports.startHash();
  const encoder = new TextEncoder();
  const inline: string[] = [];
  let sizeBytes = 0;
  for (const piece of pieces) {
    hash.update(piece);
    sizeBytes += encoder.encode(piece).byteLength;
    if (sizeBytes <= MAX_INLINE_BYTES) inline.push(piece);
  }
  const expiresAt = new Date(ports.now().getTime() + LINK_LIFETIME_MS);
  return {
    format: request.format,
    contentType: contentTypeOf(request.format),
    content: sizeBytes <= MAX_INLINE_BYTES ? inline.join('') : null,
    url: ports.exportUrl(jobId, request, expiresAt),
    sizeBytes,
    sha256: hash.hex(),
    expiresAt,
  };
}

/** The document in pieces; the segments of ten hours are a few megabytes, so they are read first. */
export async function openExport(
  ports: Pick<ExportPorts, 'reader'>,
  job: JobView,
  request: ExportRequest,
): Promise<Generator<string> | null> {
  const segments: Segment[] = [];
  for (;;) {
    const page = await ports.reader.segments(job.id, segments.length, PAGE_SIZE);
    segments.push(...page);
    if (page.length < PAGE_SIZE) break;
  }
  if (segments.length === 0) return null;
  const { durationSeconds } = job.audio;
  const transcript = {
    language: job.transcript?.language ?? null,
    durationMs: durationSeconds === null ? null : Math.round(durationSeconds * 1000),
  };
  return formatTranscript(request.format, transcript, segments, request.options);
}

/** The name to save it as: the recording's, with the format's ending. */
export function exportFilename(job: JobView, request: ExportRequest): string {
  const stem = (job.audio.filename ?? job.id).replace(/\.[^.]*$/, '') || job.id;
  return `${stem}.${fileExtensionOf(request.format)}`;
}

function checkOptions({ options }: ExportRequest): void {
  const refuse = (field: string, limits: string) => {
    const message = `\`${field}\` must be ${limits}.`;
    throw new ValidationError([{ path: ['options', field], rule: 'range', message }]);
  };
  if (options.maxCharsPerLine < 10 || options.maxCharsPerLine > 120) refuse('maxCharsPerLine', '10 to 120');
  if (options.maxLines < 1 || options.maxLines > 5) refuse('maxLines', '1 to 5');
}
