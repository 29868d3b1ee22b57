import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { onAbort, withTimeout } from '../process/wait.ts';

/** Shows the sample job while it runs. */
export interface SampleView {
  progress(progress: SampleProgress): void;
  segment(segment: SampleSegment): void;
}

export interface SampleProgress {
  readonly stage: string | null;
  readonly fraction: number;
  readonly processedSeconds: number;
  readonly totalSeconds: number | null;
}

export interface SampleSegment {
  readonly index: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
}

export interface SampleResult {
  readonly jobId: string;
  readonly model: string;
  readonly text: string;
}

/** The sample was not transcribed; the message has the reason. */
export class SampleError extends Error {
  override readonly name = 'SampleError';
}

const REQUEST_TIMEOUT_MS = 30_000;
/** Much more than a slow machine with a large model needs for the bundled recording. */
const JOB_TIMEOUT_MS = 30 * 60_000;
const FINAL = new Set(['COMPLETED', 'FAILED', 'CANCELED']);

/** Transcribes a recording through the public API, as any client would. @throws SampleError */
export async function transcribeSample(
  serverUrl: string,
  recording: string,
  view: SampleView,
  signal: AbortSignal,
): Promise<SampleResult> {
  try {
    const uploadId = await upload(serverUrl, recording, signal);
    const { submitJob } = await request<{ submitJob: SubmitResult }>(serverUrl, SUBMIT, { uploadId }, signal);
    const job = submitJob?.job;
    if (job === undefined)
      throw new SampleError(`The job was rejected: ${submitJob?.message ?? 'no reason given'}`);
    const text = await watch(serverUrl, job.id, view, signal);
    const ran = await request<ModelResult>(serverUrl, MODEL, { id: job.id }, signal);
    return { jobId: job.id, model: ran.job?.attempts.at(-1)?.model ?? 'unknown', text };
  } catch (error) {
    if (error instanceof SampleError) throw error;
    throw new SampleError(`The sample was not transcribed: ${reasonOf(error)}`, { cause: error });
  }
}

/** fetch has the reason in the cause; graphql-ws throws a close event or a list of errors. */
function reasonOf(error: unknown): string {
  if (error instanceof Error)
    return error.cause ? `${error.message}: ${reasonOf(error.cause)}` : error.message;
  if (Array.isArray(error)) return error.map(reasonOf).join('; ');
  if (typeof error !== 'object' || error === null) return String(error);
  const { code, reason, message } = error as { code?: unknown; reason?: unknown; message?: unknown };
  return String(message ?? `the connection closed (${code} ${reason})`);
}

interface SubmitResult {
  readonly job?: { readonly id: string };
  readonly message?: string;
}

interface ModelResult {
  readonly job: { readonly attempts: readonly { readonly model: string }[] } | null;
}

interface UploadResult {
  readonly upload?: {
    readonly id: string;
    readonly url: string;
    readonly headers: readonly { readonly name: string; readonly value: string }[];
  };
  readonly message?: string;
}

const CREATE_UPLOAD = `mutation CreateUpload($input: CreateUploadInput!) {
  createUpload(input: $input) {
    ... on CreateUploadPayload { upload { id url headers { name value } } }
    ... on UserError { message }
  }
}`;

const SUBMIT = `mutation SubmitSample($uploadId: ID!) {
  submitJob(input: { audio: { uploadId: $uploadId }, tags: ["sample"] }) {
    ... on SubmitJobPayload { job { id } }
    ... on UserError { message }
  }
}`;

/** Of the attempt, since the job only has what was requested. */
const MODEL = `query SampleModel($id: ID!) { job(id: $id) { attempts { model } } }`;

const WATCH = `subscription WatchSample($id: ID!) {
  jobProgress(id: $id) {
    newSegments { index startMs endMs text }
    job {
      status
      progress { stage fraction processedSeconds totalSeconds }
      failure { code message }
    }
  }
}`;

async function upload(serverUrl: string, recording: string, signal: AbortSignal): Promise<string> {
  const bytes = await readFile(recording);
  const input = {
    filename: basename(recording),
    contentType: 'audio/wav',
    sizeBytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
  const { createUpload } = await request<{ createUpload: UploadResult }>(
    serverUrl,
    CREATE_UPLOAD,
    { input },
    signal,
  );
  const target = createUpload?.upload;
  if (target === undefined)
    throw new SampleError(`The upload was rejected: ${createUpload?.message ?? 'no reason given'}`);
  const response = await fetch(target.url, {
    method: 'PUT',
    headers: Object.fromEntries(target.headers.map(({ name, value }) => [name, value])),
    body: bytes,
    signal: withTimeout(signal, REQUEST_TIMEOUT_MS),
  });
  if (!response.ok)
    throw new SampleError(`The upload failed with ${response.status}: ${await response.text()}`);
  return target.id;
}

async function request<Data>(
  serverUrl: string,
  query: string,
  variables: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<Data> {
  const response = await fetch(new URL('/graphql', serverUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
    signal: withTimeout(signal, REQUEST_TIMEOUT_MS),
  });
  const { data, errors } = (await response.json()) as {
    readonly data?: Data | null;
    readonly errors?: readonly GraphQLFault[];
  };
  if (!data || errors)
    throw new SampleError(
      `The API returned an error: ${errors?.map(describe).join('; ') ?? response.status}`,
    );
  return data;
}

interface GraphQLFault {
  readonly message: string;
  readonly extensions?: { readonly requestId?: unknown };
}

function describe({ message, extensions }: GraphQLFault): string {
  return extensions?.requestId === undefined ? message : `${message} (request ${extensions.requestId})`;
}

interface ProgressEvent {
  readonly jobProgress: {
    readonly newSegments: readonly SampleSegment[];
    readonly job: {
      readonly status: string;
      readonly progress: SampleProgress;
      readonly failure: { readonly code: string; readonly message: string } | null;
    };
  };
}

async function watch(
  serverUrl: string,
  jobId: string,
  view: SampleView,
  signal: AbortSignal,
): Promise<string> {
  const url = new URL('/graphql', serverUrl.replace(/^http/, 'ws')).href;
  const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 10 });
  const limit = withTimeout(signal, JOB_TIMEOUT_MS);
  const events = client.iterate<ProgressEvent>({ query: WATCH, variables: { id: jobId } });
  const forget = onAbort(limit, () => void events.return?.());
  // After a reconnection, the subscription starts with all segments so far.
  const segments = new Map<number, SampleSegment>();
  try {
    for await (const { data, errors } of events) {
      if (!data)
        throw new SampleError(`The subscription failed: ${errors?.map((error) => error.message).join('; ')}`);
      const { newSegments, job } = data.jobProgress;
      for (const segment of newSegments) {
        if (!segments.has(segment.index)) view.segment(segment);
        segments.set(segment.index, segment);
      }
      view.progress(job.progress);
      if (!FINAL.has(job.status)) continue;
      if (job.status !== 'COMPLETED') {
        throw new SampleError(`The job ended as ${job.status}: ${job.failure?.message ?? 'no reason given'}`);
      }
      return [...segments.values()].map((segment) => segment.text.trim()).join(' ');
    }
  } finally {
    forget();
    await client.dispose();
  }
  signal.throwIfAborted();
  throw new SampleError('The subscription ended before the job.');
}
