import { highlightsWords } from '../captions/caption-rules.ts';
import type { ExportFormat, ExportRequest } from '../captions/export-options.ts';
import { contentTypeOf, fileExtensionOf, transcriptWriter } from '../captions/transcript-formats.ts';
import { ValidationError } from '../domain/errors.ts';
import type { JobView } from '../domain/job-view.ts';
import type { Principal } from '../domain/principal.ts';
import type { Segment } from '../domain/transcript.ts';
import type { JobReader } from '../storage/job-reader.ts';

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
  /**
   * Runs few exports at once and lets the others wait.
   * @throws UnavailableError when too many wait.
   */
  readonly limited: <Result>(work: () => Promise<Result>) => Promise<Result>;
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
  checkWordTimes(job, request);
  return ports.limited(() => describeExport(ports, job, request));
}

async function describeExport(
  ports: ExportPorts,
  job: JobView,
  request: ExportRequest,
): Promise<ExportView | null> {
  const pieces = await openExport(ports, job, request);
  if (pieces === null) return null;
  const hash = ports.startHash();
  const encoder = new TextEncoder();
  const inline: string[] = [];
  let sizeBytes = 0;
  for await (const piece of pieces) {
    hash.update(piece);
    sizeBytes += encoder.encode(piece).byteLength;
    if (sizeBytes <= MAX_INLINE_BYTES) inline.push(piece);
  }
  const expiresAt = new Date(ports.now().getTime() + LINK_LIFETIME_MS);
  return {
    format: request.format,
    contentType: contentTypeOf(request.format),
    content: sizeBytes <= MAX_INLINE_BYTES ? inline.join('') : null,
    url: ports.exportUrl(job.id, request, expiresAt),
    sizeBytes,
    sha256: hash.hex(),
    expiresAt,
  };
}

/** The document, a page of segments at a time, read as it is taken. */
export async function openExport(
  ports: Pick<ExportPorts, 'reader'>,
  job: JobView,
  request: ExportRequest,
): Promise<AsyncGenerator<string> | null> {
  const first = await ports.reader.segments(job.id, 0, PAGE_SIZE);
  return first.length === 0 ? null : writePages(ports.reader, job, request, first);
}

async function* writePages(
  reader: JobReader,
  job: JobView,
  { format, options }: ExportRequest,
  first: readonly Segment[],
): AsyncGenerator<string> {
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
    page = await reader.segments(job.id, read, PAGE_SIZE);
  }
  yield writer.end();
}

/** Direction overrides among them could disguise the ending of a file name. */
const INVISIBLE_IN_NAMES = /[\p{Bidi_Control}\p{Cc}]/gu;

/** The name to save it as: the recording's, with the format's ending. */
export function exportFilename(job: JobView, request: ExportRequest): string {
  const name = (job.audio.filename ?? job.id).replace(INVISIBLE_IN_NAMES, '');
  const stem = name.replace(/\.[^.]*$/, '') || job.id;
  return `${stem}.${fileExtensionOf(request.format)}`;
}

function checkOptions({ options: { maxCharsPerLine, maxLines } }: ExportRequest): void {
  const refuse = (field: string, limits: string) => {
    const message = `\`${field}\` must be ${limits}.`;
    throw new ValidationError([{ path: ['options', field], rule: 'range', message }]);
  };
  const isWithin = (value: number | null, min: number, max: number) =>
    value === null || (value >= min && value <= max);
  if (!isWithin(maxCharsPerLine, 10, 120)) refuse('maxCharsPerLine', '10 to 120');
  if (!isWithin(maxLines, 1, 5)) refuse('maxLines', '1 to 5');
}

function checkWordTimes(job: JobView, { format, options }: ExportRequest): void {
  const marksWords = (format === 'SRT' || format === 'VTT') && highlightsWords(options);
  if (!marksWords || job.options.timestamps === 'WORD') return;
  const field = options.highlightWords === null ? 'preset' : 'highlightWords';
  const message = `\`${field}\` marks words, and this transcript has no word times; submit with \`timestamps: WORD\`.`;
  throw new ValidationError([{ path: ['options', field], rule: 'unsupported', message }], 'UNSUPPORTED');
}

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
