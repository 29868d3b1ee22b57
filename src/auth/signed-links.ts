import {
  CAPTION_PRESETS,
  EXPORT_FORMATS,
  type ExportFormat,
  type ExportOptions,
  type ExportRequest,
} from '../captions/export-options.ts';
import { checkSignature, type SignatureCheck, signUrl } from './signed-url.ts';

export interface SignedLinksOptions {
  readonly secret: string;
  /** Where clients reach this server, without a trailing slash; asked each time, as a port may be chosen late. */
  baseUrl(): string;
  /** Where workers reach it, when that differs. */
  workerBaseUrl?: () => string;
  now?: () => Date;
}

/** Makes and checks the signed, expiring addresses of uploads and exports. */
export class SignedLinks {
  readonly #options: SignedLinksOptions;

  constructor(options: SignedLinksOptions) {
    this.#options = options;
  }

  /** Where a client PUTs its recording. */
  uploadUrl(uploadId: string, expiresAt: Date): string {
    return this.#sign('PUT', `/uploads/${uploadId}`, {}, expiresAt);
  }

  /** Where a worker GETs a stored recording; Range works. */
  signedContentUrl(uploadId: string, ttlMs: number): string {
    const base = (this.#options.workerBaseUrl ?? this.#options.baseUrl)();
    const expiresAt = new Date(this.#now().getTime() + ttlMs);
    return signUrl(
      this.#options.secret,
      'GET',
      new URL(`${withoutSlash(base)}/uploads/${uploadId}/content`),
      expiresAt,
    );
  }

  /** Where anybody with the link GETs a transcript as a file. */
  signedExportUrl(jobId: string, request: ExportRequest, expiresAt: Date): string {
    const path = `/exports/${jobId}.${request.format.toLowerCase()}`;
    return this.#sign('GET', path, parametersOf(request.options), expiresAt);
  }

  check(method: string, url: URL): SignatureCheck {
    // Whoever may read may ask how much there is to read.
    return checkSignature(this.#options.secret, method === 'HEAD' ? 'GET' : method, url, this.#now());
  }

  #sign(method: string, path: string, parameters: Record<string, string>, expiresAt: Date): string {
    const url = new URL(withoutSlash(this.#options.baseUrl()) + path);
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return signUrl(this.#options.secret, method, url, expiresAt);
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }
}

function withoutSlash(base: string): string {
  return base.replace(/\/+$/, '');
}

/** Reads back what `signedExportUrl` wrote; call only after `check`. Null for another address. */
export function parseExportUrl(url: URL): { readonly jobId: string; readonly request: ExportRequest } | null {
  const match = /^\/exports\/([^/.]+)\.([a-z]+)$/.exec(url.pathname);
  const format = match?.[2]?.toUpperCase() as ExportFormat | undefined;
  const jobId = match?.[1];
  if (jobId === undefined || format === undefined || !EXPORT_FORMATS.includes(format)) return null;
  return { jobId, request: { format, options: optionsOf(url.searchParams) } };
}

/** An option that is left to its preset has no parameter. */
function parametersOf(options: ExportOptions): Record<string, string> {
  const { preset, maxCharsPerLine, maxLines, includeSpeakers, highlightWords } = options;
  return {
    preset,
    speakers: String(includeSpeakers),
    ...(maxCharsPerLine === null ? {} : { chars: String(maxCharsPerLine) }),
    ...(maxLines === null ? {} : { lines: String(maxLines) }),
    ...(highlightWords === null ? {} : { words: String(highlightWords) }),
  };
}

function optionsOf(parameters: URLSearchParams): ExportOptions {
  const read = <Value>(name: string, parse: (text: string) => Value): Value | null => {
    const text = parameters.get(name);
    return text === null ? null : parse(text);
  };
  const isTrue = (text: string) => text === 'true';
  return {
    preset: read('preset', (text) => CAPTION_PRESETS.find((preset) => preset === text)) ?? 'WEB',
    maxCharsPerLine: read('chars', Number),
    maxLines: read('lines', Number),
    includeSpeakers: read('speakers', isTrue) ?? false,
    highlightWords: read('words', isTrue),
  };
}
