import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Dispatcher } from 'undici';
import type { TaskMessage } from '../../src/contract/messages.ts';
import { withTimeout } from '../../src/process/wait.ts';
import { EngineError } from '../engines/engine.ts';
import { FetchFailure } from './fetch-failure.ts';
import { guardedGet } from './guarded-get.ts';

export interface FetchedAudio {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly contentType: string | null;
}

export interface OpenedAudio {
  readonly stream: Readable;
  readonly sizeBytes: number | null;
  readonly contentType: string | null;
}

export interface OpenOptions {
  readonly maxBytes: number;
  /** CIDRs of private networks that recordings may come from. */
  readonly allowedNetworks: readonly string[];
}

export interface FetchOptions extends OpenOptions {
  /** Private to the run; the file is written here. */
  readonly directory: string;
  readonly onProgress?: (bytes: number, total: number | null) => void;
}

/** Ends a fetch however slowly data arrives. */
const TOTAL_TIMEOUT_MS = 2 * 3_600_000;
const CUT_SHORT =
  /^(ECONNRESET|UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH|ERR_STREAM_PREMATURE_CLOSE)$/;
const HTML = /^\s*(<!doctype html|<html[\s>])/i;

/**
 * Downloads the recording into the directory, without holding it in memory. A failed fetch leaves a partial file.
 *
 * @throws EngineError of kind FETCH or AUDIO; the signal's reason.
 */
export async function fetchAudio(
  audio: TaskMessage['audio'],
  options: FetchOptions,
  signal: AbortSignal,
): Promise<FetchedAudio> {
  const opened = await openAudio(audio, options, signal);
  const path = join(options.directory, 'source');
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      options.onProgress?.(sizeBytes, opened.sizeBytes);
      done(null, chunk);
    },
  });
  try {
    await pipeline(opened.stream, meter, createWriteStream(path, { mode: 0o600 }));
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw noSpace(error) ?? error;
  }
  const sha256 = hash.digest('hex');
  if (audio.sha256 !== null && audio.sha256.toLowerCase() !== sha256) throw FetchFailure.checksum();
  return { path, sizeBytes, sha256, contentType: opened.contentType };
}

/**
 * The recording as a stream, with the checks of `fetchAudio`. The stream fails with an `EngineError` when the body is too
 * large, truncated, or a web page.
 *
 * @throws EngineError of kind FETCH or AUDIO; the signal's reason.
 */
export async function openAudio(
  audio: TaskMessage['audio'],
  options: OpenOptions,
  signal: AbortSignal,
): Promise<OpenedAudio> {
  const host = URL.canParse(audio.url) ? new URL(audio.url).hostname : 'the URL';
  const guard = { guarded: audio.kind === 'url', allowedNetworks: options.allowedNetworks };
  const timed = withTimeout(signal, TOTAL_TIMEOUT_MS);
  const translate = (error: unknown): unknown => {
    if (signal.aborted) return signal.reason;
    return timed.aborted ? FetchFailure.timeout(host) : error;
  };
  const response = await guardedGet(audio.url, guard, timed).catch((error: unknown) => {
    throw translate(error);
  });
  try {
    const head = checkHead(response, host, options.maxBytes);
    const stream = guardBody(response.body, { ...head, host, maxBytes: options.maxBytes }, translate);
    return { stream, ...head };
  } catch (error) {
    response.body.once('error', () => undefined).destroy();
    throw error;
  }
}

function checkHead({ statusCode, headers }: Dispatcher.ResponseData, host: string, maxBytes: number) {
  if (statusCode < 200 || statusCode > 299) throw FetchFailure.ofStatus(statusCode, headers, host);
  const length = Number(headers['content-length'] ?? Number.NaN);
  const sizeBytes = Number.isSafeInteger(length) ? length : null;
  if (sizeBytes !== null && sizeBytes > maxBytes) throw FetchFailure.tooLarge(maxBytes);
  const contentType = headers['content-type']?.toString() ?? null;
  if (contentType !== null && /^(text\/html|application\/xhtml)/i.test(contentType)) {
    throw FetchFailure.isHtml(host);
  }
  return { sizeBytes, contentType };
}

function guardBody(
  response: Readable,
  body: { readonly host: string; readonly maxBytes: number; readonly sizeBytes: number | null },
  translate: (error: unknown) => unknown,
): Readable {
  let received = 0;
  const checks = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const isFirst = received === 0;
      received += chunk.length;
      if (isFirst && HTML.test(chunk.subarray(0, 512).toString('latin1'))) {
        done(FetchFailure.isHtml(body.host));
      } else if (received > body.maxBytes) done(FetchFailure.tooLarge(body.maxBytes));
      else done(null, chunk);
    },
  });
  response.on('error', (error: Error & { readonly code?: string }) => {
    const failure = CUT_SHORT.test(error.code ?? '')
      ? FetchFailure.truncated(received, body.sizeBytes)
      : FetchFailure.of(error, body.host);
    checks.destroy(translate(failure) as Error);
  });
  checks.once('close', () => response.destroy());
  return response.pipe(checks);
}

function noSpace(error: unknown): EngineError | null {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) return null;
  return new EngineError(
    {
      kind: 'INTERNAL',
      code: 'WORKER_NO_SPACE',
      message: 'The worker has no disk space left for the recording; the job is retried.',
      retryable: true,
    },
    { cause: error },
  );
}
