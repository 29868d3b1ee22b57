import { type Client, createClient } from 'graphql-ws';
import { Pool } from 'undici';
import WebSocket from 'ws';

const SEGMENTS = 5;
const SUBMIT = `mutation Submit($input: SubmitJobInput!) { submitJob(input: $input) {
  __typename ... on SubmitJobPayload { job { id status } } ... on UserError { code message } } }`;
const SUBMIT_MANY = `mutation SubmitMany($input: [SubmitJobInput!]!) { submitJobs(input: $input) {
  __typename ... on SubmitJobPayload { job { id status } } ... on UserError { code message } } }`;
const JOB = 'query Job($id: ID!) { job(id: $id) { status progress { fraction segmentCount } } }';
const WATCH = `subscription Watch($id: ID!) { jobProgress(id: $id) {
  type newSegments { index startMs endMs text }
  job { status revision progress { fraction processedSeconds totalSeconds segmentCount } } } }`;
const HAS_SUBMIT_MANY = '{ __type(name: "Mutation") { fields { name } } }';

interface SubmitResult {
  readonly __typename: string;
  readonly job?: { readonly id: string };
  readonly message?: string;
}

interface WatchEvent {
  readonly newSegments: readonly { readonly index: number; readonly text: string }[];
  readonly job: { readonly status: string };
}

interface Reply<Data> {
  readonly data?: Data | null;
  readonly errors?: readonly { readonly message: string }[];
}

/** The same calls to either side, in the words of the product's API. */
export class ApiClient {
  readonly #pool: Pool;
  readonly #webSocketUrl: string;
  #submitted = 0;
  #lastCompleted: string | null = null;

  /** @param connections Of HTTP, kept alive, one request at a time on each. */
  constructor(url: string, { connections }: { readonly connections: number }) {
    this.#pool = new Pool(url, { connections, pipelining: 1 });
    this.#webSocketUrl = `${url.replace(/^http/, 'ws')}/graphql`;
  }

  /** @returns the id of a job of five segments that take no time. */
  async submit(): Promise<string> {
    const { submitJob } = await this.#request<{ submitJob: SubmitResult }>(SUBMIT, { input: this.#input() });
    return idOf(submitJob);
  }

  async submitMany(count: number): Promise<string[]> {
    const input = Array.from({ length: count }, () => this.#input());
    const { submitJobs } = await this.#request<{ submitJobs: SubmitResult[] }>(SUBMIT_MANY, { input });
    if (submitJobs.length !== count)
      throw new Error(`${submitJobs.length} of ${count} jobs came to something`);
    return submitJobs.map(idOf);
  }

  async hasSubmitMany(): Promise<boolean> {
    const { __type } = await this.#request<{ __type: { fields: { name: string }[] } }>(HAS_SUBMIT_MANY, {});
    return __type.fields.some(({ name }) => name === 'submitJobs');
  }

  /** @throws Error unless the job that was last seen to complete is stored as complete. */
  async assertLastIsStored(): Promise<void> {
    const id = this.#lastCompleted;
    const { job } = await this.#request<{
      job: { status: string; progress: { fraction: number; segmentCount: number } };
    }>(JOB, { id });
    const { status, progress } = job;
    if (status === 'COMPLETED' && progress.fraction === 1 && progress.segmentCount === SEGMENTS) return;
    throw new Error(`job ${id} is stored as ${JSON.stringify(job)}`);
  }

  /** A websocket that is ready for a watcher. */
  async connect(): Promise<Client> {
    const socket = createClient({
      ...{ url: this.#webSocketUrl, webSocketImpl: WebSocket, lazy: false, retryAttempts: 0 },
    });
    await new Promise<void>((resolve, reject) => {
      socket.on('connected', () => resolve());
      socket.on('closed', () => reject(new Error('the websocket was closed')));
    });
    return socket;
  }

  /**
   * Watches a job until it is completed.
   *
   * @throws Error unless every segment came once, in order.
   */
  watch(socket: Client, id: string): Promise<void> {
    let segments = 0;
    let status = '';
    return new Promise((resolve, reject) => {
      socket.subscribe<{ jobProgress: WatchEvent }>(
        { query: WATCH, variables: { id } },
        {
          next: ({ data, errors }) => {
            if (!data) return reject(new Error(JSON.stringify(errors)));
            for (const { index } of data.jobProgress.newSegments) {
              if (index !== segments) reject(new Error(`segment ${index} came instead of ${segments}`));
              segments += 1;
            }
            status = data.jobProgress.job.status;
          },
          error: reject,
          complete: () => {
            this.#lastCompleted = id;
            if (status === 'COMPLETED' && segments === SEGMENTS) resolve();
            else reject(new Error(`job ${id} ended as ${status} with ${segments} segments`));
          },
        },
      );
    });
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  #input() {
    this.#submitted += 1;
    const url = `https://script.test/job-${this.#submitted}/${SEGMENTS}/1000/0`;
    return { audio: { url }, tags: ['bench'], metadata: { number: this.#submitted } };
  }

  async #request<Data>(query: string, variables: object): Promise<Data> {
    const { statusCode, body } = await this.#pool.request({
      path: '/graphql',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await body.json()) as Reply<Data>;
    if (data && errors === undefined) return data;
    throw new Error(`answered ${statusCode}: ${JSON.stringify(errors)}`);
  }
}

function idOf({ __typename, job, message }: SubmitResult): string {
  if (job === undefined) throw new Error(`${__typename}: ${message}`);
  return job.id;
}
