import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TaskMessage } from '../../src/contract/messages.ts';
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
  /** CIDRs whose private addresses may be asked. */
  readonly allowedNetworks: readonly string[];
}

export interface FetchOptions extends OpenOptions {
  /** Private to the attempt; the file is written here. */
  readonly directory: string;
  readonly onProgress?: (bytes: number, total: number | null) => void;
}

/** However slowly the bytes trickle, a fetch ends. */
const TOTAL_TIMEOUT_MS = 2 * 3_600_000;
/** Between two chunks of the body, while somebody reads. */
const IDLE_TIMEOUT_MS = 30_000;
const HTML = /^\s*(<!doctype html|<html[\s>])/i;

/**
 * Brings the recording into the directory, never whole in memory.
 * @throws EngineError of kind FETCH or AUDIO, or the signal's reason. A failed fetch leaves a partial file.
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
 * The recording as a stream, with the guards of `fetchAudio`; the stream itself fails with an `EngineError`
 * when the body is too large, cut short, or a web page.
 * @throws EngineError of kind FETCH or AUDIO, or the signal's reason.
 */
export async function openAudio(
  audio: TaskMessage['audio'],
  options: OpenOptions,
  signal: AbortSignal,
): Promise<OpenedAudio> {
  const host = URL.canParse(audio.url) ? new URL(audio.url).hostname : 'the URL';
  const total = new AbortController();
  const timer = setTimeout(() => total.abort(FetchFailure.timeout(host)), TOTAL_TIMEOUT_MS).unref();
  const either = AbortSignal.any([signal, total.signal]);
  const guard = { guarded: audio.kind === 'url', allowedNetworks: options.allowedNetworks };
  const response = await guardedGet(audio.url, guard, either).catch((error: unknown) => {
    clearTimeout(timer);
    throw error;
  });
  try {
    const events = checkAnswer(response, host, options.maxBytes);
    const stream = guardBody(response, { ...events, host, maxBytes: options.maxBytes }, either);
    stream.once('close', () => clearTimeout(timer));
    return { stream, ...events };
  } catch (error) {
    clearTimeout(timer);
    response.destroy();
    throw error;
  }
}

function checkAnswer(response: IncomingMessage, host: string, maxBytes: number) {
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) throw FetchFailure.ofStatus(response, host);
  const length = Number(response.headers['content-length'] ?? Number.NaN);
  const sizeBytes = Number.isSafeInteger(length) ? length : null;
  if (sizeBytes !== null && sizeBytes > maxBytes) throw FetchFailure.tooLarge(maxBytes);
  const contentType = response.headers['content-type'] ?? null;
  if (contentType !== null && /^(text\/html|application\/xhtml)/i.test(contentType)) {
    throw FetchFailure.isHtml(host);
  }
  return { sizeBytes, contentType };
}

function guardBody(
  response: IncomingMessage,
  body: { readonly host: string; readonly maxBytes: number; readonly sizeBytes: number | null },
  signal: AbortSignal,
): Readable {
  let received = 0;
  let receivedBefore = -1;
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
  const translate = (error: Error & { readonly code?: string }): Error => {
    if (signal.aborted) return signal.reason;
    if (error instanceof EngineError) return error;
    const cutShort = error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE';
    return cutShort ? FetchFailure.truncated(received, body.sizeBytes) : FetchFailure.of(error, body.host);
  };
  const idle = setInterval(() => {
    const waitsForReader = checks.writableNeedDrain;
    if (!waitsForReader && received === receivedBefore) checks.destroy(FetchFailure.timeout(body.host));
    receivedBefore = waitsForReader ? -1 : received;
  }, IDLE_TIMEOUT_MS).unref();
  response.once('error', (error) => checks.destroy(translate(error)));
  checks.once('close', () => {
    clearInterval(idle);
    response.destroy();
  });
  response.pipe(checks);
  return checks;
}

function noSpace(error: unknown): EngineError | null {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) return null;
  return new EngineError(
    {
      kind: 'INTERNAL',
      code: 'WORKER_NO_SPACE',
      message: 'The worker has no disk space left for the recording; it is tried again.',
      retryable: true,
    },
    { cause: error },
  );
}
