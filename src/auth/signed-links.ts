import { EXPORT_FORMATS, ExportOptions, type ExportRequest } from '../captions/export-options.ts';
import type { Principal } from '../domain/principal.ts';
import { checkSignature, signUrl } from './signed-url.ts';

/** Longer than a task waits in any queue and all its runs take. */
const CONTENT_LINK_LIFETIME_MS = 30 * 86_400_000;

export interface SignedLinksOptions {
  readonly secret: string;
  readonly baseUrl: string;
  /** Where workers reach this server, when that differs. */
  readonly workerBaseUrl?: string | undefined;
  readonly now?: () => Date;
}

/** In whose name a link may be used, or why it may not. */
export type LinkCheck =
  | { readonly principal: Principal }
  | { readonly principal: null; readonly problem: 'EXPIRED' | 'INVALID' };

/** Makes and checks the signed, expiring links of uploads and exports. Each names the tenant that it was made for. */
export class SignedLinks {
  /** Where clients reach this server; set again once it listens, as the port may be chosen late. */
  baseUrl: string;
  readonly #options: SignedLinksOptions;

  constructor(options: SignedLinksOptions) {
    this.baseUrl = options.baseUrl;
    this.#options = options;
  }

  /** Where a client PUTs its recording. */
  uploadUrl(tenantId: string, uploadId: string, expiresAt: Date): string {
    return this.#sign('PUT', this.baseUrl, `/uploads/${uploadId}`, { tenant: tenantId }, expiresAt);
  }

  /** Where a worker GETs a stored recording, whole or in ranges. */
  contentUrl(tenantId: string, uploadId: string): string {
    const base = this.#options.workerBaseUrl ?? this.baseUrl;
    const expiresAt = new Date(this.#now().getTime() + CONTENT_LINK_LIFETIME_MS);
    return this.#sign('GET', base, `/uploads/${uploadId}/content`, { tenant: tenantId }, expiresAt);
  }

  /** Where anyone with the link GETs a transcript as a file. */
  exportUrl(tenantId: string, jobId: string, { format, options }: ExportRequest, expiresAt: Date): string {
    const path = `/exports/${jobId}.${format.toLowerCase()}`;
    const parameters = { tenant: tenantId, options: JSON.stringify(options) };
    return this.#sign('GET', this.baseUrl, path, parameters, expiresAt);
  }

  check(method: string, url: URL): LinkCheck {
    // A link to read is also good to ask for the size.
    const signed = method === 'HEAD' ? 'GET' : method;
    const result = checkSignature(this.#options.secret, signed, url, this.#now());
    if (result !== 'VALID') return { principal: null, problem: result };
    const tenantId = url.searchParams.get('tenant');
    if (tenantId === null) return { principal: null, problem: 'INVALID' };
    return { principal: { tenantId, actor: 'link' } };
  }

  #sign(
    method: string,
    base: string,
    path: string,
    parameters: Readonly<Record<string, string>>,
    expiresAt: Date,
  ): string {
    const url = new URL(base.replace(/\/+$/, '') + path);
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return signUrl(this.#options.secret, method, url, expiresAt);
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }
}

/** Reads back what `exportUrl` wrote; call only after `check`. Null for another address. */
export function parseExportUrl(url: URL): { readonly jobId: string; readonly request: ExportRequest } | null {
  const [, jobId, extension] = /^\/exports\/([^/.]+)\.([a-z]+)$/.exec(url.pathname) ?? [];
  const format = EXPORT_FORMATS.find((candidate) => candidate.toLowerCase() === extension);
  if (jobId === undefined || format === undefined) return null;
  const options = ExportOptions.parse(JSON.parse(url.searchParams.get('options') ?? '{}'));
  return { jobId, request: { format, options } };
}
