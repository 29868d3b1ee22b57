import type { Readable } from 'node:stream';
import type { Order } from '../../src/contract/messages.ts';
import { EngineError } from '../engines/engine.ts';

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
  readonly directory: string;
  readonly onProgress?: (bytes: number, total: number | null) => void;
}

const missing = (url: string) =>
  new EngineError({ kind: 'FETCH', code: 'FETCH_CONNECTION', message: `Not yet: ${url}`, retryable: false });

/** Brings the recording into the directory. @throws EngineError of kind FETCH or AUDIO. */
export async function fetchAudio(
  audio: Order['audio'],
  options: FetchOptions,
  signal: AbortSignal,
): Promise<FetchedAudio> {
  signal.throwIfAborted();
  throw missing(`${audio.url} ${options.directory}`);
}

/** The recording as a stream, with the same guards. @throws EngineError of kind FETCH or AUDIO. */
export async function openAudio(
  audio: Order['audio'],
  options: OpenOptions,
  signal: AbortSignal,
): Promise<OpenedAudio> {
  signal.throwIfAborted();
  throw missing(`${audio.url} ${options.maxBytes}`);
}
