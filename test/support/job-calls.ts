import { createHash } from 'node:crypto';
import type { EXPORT_FORMATS } from '../../src/captions/export-options.ts';
import type { GraphQLClient, Transport, Variables } from './graphql-client.ts';

export interface SeenJob {
  readonly id: string;
  readonly status: string;
  readonly revision: number;
  readonly progress: SeenProgress;
  readonly failure: { readonly kind: string; readonly code: string; readonly message: string } | null;
  readonly attempts: readonly { readonly number: number; readonly outcome: string | null }[];
  readonly usage: { readonly computeSeconds: number } | null;
  readonly transcript: {
    readonly text: string;
    readonly isFinal: boolean;
    readonly language: string | null;
    readonly segments: { readonly nodes: readonly SeenSegment[] };
  } | null;
}

interface SeenProgress {
  readonly fraction: number;
  readonly processedSeconds: number;
  readonly totalSeconds: number | null;
  readonly segmentCount: number;
}

export interface SeenSegment {
  readonly index: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  readonly words:
    | readonly { readonly startMs: number; readonly endMs: number; readonly text: string }[]
    | null;
}

export interface SeenEvent {
  readonly type: 'SNAPSHOT' | 'PROGRESS' | 'STATUS';
  readonly cursor: string;
  readonly newSegments: readonly SeenSegment[];
  readonly job: Pick<SeenJob, 'status' | 'revision' | 'progress'>;
}

export interface SeenSegmentsEvent {
  readonly cursor: string;
  readonly from: number;
  readonly to: number;
  readonly jobStatus: string;
  readonly segments: readonly SeenSegment[];
}

/** A payload or an error of a mutation's union, by `__typename`. */
export interface Outcome {
  readonly __typename: string;
  readonly job?: Pick<SeenJob, 'id' | 'status'>;
  readonly replayed?: boolean;
  readonly outcome?: string;
  readonly deletedId?: string;
  readonly code?: string;
  readonly message?: string;
  readonly path?: readonly string[] | null;
  readonly jobId?: string | null;
  readonly upload?: { readonly id: string; readonly url: string };
}

const SEGMENT = 'index startMs endMs text words { startMs endMs text }';
const PROGRESS = 'fraction processedSeconds totalSeconds segmentCount';
const USER_ERROR = '... on UserError { code message path }';

const JOB_FIELDS = `id status revision progress { ${PROGRESS} } failure { kind code message }
  attempts { number outcome } usage { computeSeconds }
  transcript { text isFinal language segments(first: 100) { nodes { ${SEGMENT} } } }`;

const SUBMIT = `mutation Submit($input: SubmitJobInput!) { submitJob(input: $input) {
  __typename ... on SubmitJobPayload { replayed job { id status } } ... on IdempotencyError { jobId } ${USER_ERROR} } }`;
const CANCEL = `mutation Cancel($input: CancelJobInput!) { cancelJob(input: $input) {
  __typename ... on CancelJobPayload { outcome job { id status } } ${USER_ERROR} } }`;
const DELETE = `mutation Delete($input: DeleteJobInput!) { deleteJob(input: $input) {
  __typename ... on DeleteJobPayload { deletedId } ${USER_ERROR} } }`;
const CREATE_UPLOAD = `mutation CreateUpload($input: CreateUploadInput!) { createUpload(input: $input) {
  __typename ... on CreateUploadPayload { upload { id url } } ${USER_ERROR} } }`;
const JOB = `query Job($id: ID!) { job(id: $id) { ${JOB_FIELDS} } }`;
const WATCH = `subscription Watch($id: ID!, $after: String) { jobProgress(id: $id, after: $after, minIntervalMs: 100) {
  type cursor newSegments { ${SEGMENT} } job { status revision progress { ${PROGRESS} } } } }`;
const SEGMENTS = `subscription Segments($id: ID!, $after: String) { jobSegments(id: $id, after: $after) {
  cursor from to jobStatus segments { ${SEGMENT} } } }`;
const EXPORT = `query Export($id: ID!, $format: ExportFormat!) { job(id: $id) { transcript {
  export(format: $format) { content contentType sizeBytes sha256 url } } } }`;

export interface ExportedFile {
  readonly content: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly url: string;
}

/** What users do with jobs, in the words of the API. */
export class JobCalls {
  readonly #client: GraphQLClient;

  constructor(client: GraphQLClient) {
    this.#client = client;
  }

  async submit(input: Variables): Promise<Outcome> {
    return (await this.#client.request<{ submitJob: Outcome }>(SUBMIT, { input })).submitJob;
  }

  /** The id of the accepted job. @throws Error when it was refused. */
  async accepted(input: Variables): Promise<string> {
    const outcome = await this.submit(input);
    if (outcome.job === undefined) throw new Error(`refused: ${JSON.stringify(outcome)}`);
    return outcome.job.id;
  }

  async cancel(id: string): Promise<Outcome> {
    return (await this.#client.request<{ cancelJob: Outcome }>(CANCEL, { input: { id } })).cancelJob;
  }

  async delete(id: string, force = false): Promise<Outcome> {
    return (await this.#client.request<{ deleteJob: Outcome }>(DELETE, { input: { id, force } })).deleteJob;
  }

  async find(id: string): Promise<SeenJob | null> {
    return (await this.#client.request<{ job: SeenJob | null }>(JOB, { id })).job;
  }

  /** The job once its status is final. */
  async finished(id: string): Promise<SeenJob> {
    for await (const _ of this.watch(id));
    const job = await this.find(id);
    if (job === null) throw new Error(`job ${id} is gone`);
    return job;
  }

  async *watch(
    id: string,
    { after, transport }: { readonly after?: string; readonly transport?: Transport } = {},
  ): AsyncGenerator<SeenEvent, void, void> {
    const events = this.#client.subscribe<{ jobProgress: SeenEvent }>(WATCH, { id, after }, transport);
    for await (const { jobProgress } of events) yield jobProgress;
  }

  async *segments(
    id: string,
    { after, transport }: { readonly after?: string; readonly transport?: Transport } = {},
  ): AsyncGenerator<SeenSegmentsEvent, void, void> {
    const events = this.#client.subscribe<{ jobSegments: SeenSegmentsEvent }>(
      SEGMENTS,
      { id, after },
      transport,
    );
    for await (const { jobSegments } of events) yield jobSegments;
  }

  async export(id: string, format: (typeof EXPORT_FORMATS)[number]): Promise<ExportedFile> {
    const { job } = await this.#client.request<{
      job: { transcript: { export: ExportedFile } | null } | null;
    }>(EXPORT, { id, format });
    if (!job?.transcript) throw new Error(`job ${id} has no transcript`);
    return job.transcript.export;
  }

  /** Sends a file and gives the id of its upload. @throws Error when either step is refused. */
  async upload(bytes: Buffer, filename: string, contentType = 'application/octet-stream'): Promise<string> {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const input = { filename, contentType, sizeBytes: bytes.length, sha256 };
    const { createUpload } = await this.#client.request<{ createUpload: Outcome }>(CREATE_UPLOAD, { input });
    const place = createUpload.upload;
    if (place === undefined) throw new Error(`refused: ${JSON.stringify(createUpload)}`);
    const response = await fetch(place.url, { method: 'PUT', body: new Uint8Array(bytes) });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    return place.id;
  }
}
