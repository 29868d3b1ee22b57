import { type DeepgramStandIn, startDeepgramStandIn } from './deepgram-stand-in.ts';
import { hostFiles } from './file-host.ts';
import type { TestProcess } from './processes.ts';
import { type Service, startService } from './service.ts';

/** Of the scripted engine: two segments of a second each. */
const SCRIPT = 'talk/2/1000/0';
const BREAKER_SECONDS = 8;
const FAILING = ['ENGINE_UNAVAILABLE', 'OUT_OF_MEMORY', 'AUDIO', 'FETCH'] as const;

export interface SeenRun {
  readonly status: string;
  readonly nextAttemptAt: string | null;
  readonly failure: { readonly code: string } | null;
  readonly transcript: { readonly text: string } | null;
  readonly progress: SeenEstimate;
  readonly attempts: readonly {
    readonly number: number;
    readonly engine: string;
    readonly model: string;
    readonly requestId: string | null;
    readonly outcome: string | null;
    readonly startedAt: string;
    readonly failure: { readonly kind: string; readonly code: string; readonly message: string } | null;
  }[];
}

export interface SeenEstimate {
  readonly stage: string | null;
  readonly fraction: number;
  readonly totalSeconds: number | null;
  readonly etaSeconds: number | null;
  readonly isEstimate: boolean;
}

/**
 * A server with workers of two lanes: a local engine whose behaviour the recording's URL tells (scripted-engine.mjs)
 * on WHISPER, and the stand-in of Deepgram on DEEPGRAM. Neither worker runs before it is added.
 */
export interface TwoEngines {
  readonly service: Service;
  readonly deepgram: DeepgramStandIn;
  /** The same one when asked again. */
  addLocal(): Promise<void>;
  /** With the stand-in's key unless another is given. */
  addHosted(apiKey?: string): Promise<TestProcess>;
  /** A recording; the local engine fails with this kind on every attempt at it. */
  aTalk(failure?: (typeof FAILING)[number]): { readonly url: string };
  see(id: string): Promise<SeenRun>;
  /** The submitted job, once its status is final. */
  finished(input: Readonly<Record<string, unknown>>): Promise<SeenRun>;
  isAvailable(queue: string): Promise<boolean>;
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

const JOB = `query See($id: ID!) { job(id: $id) { status nextAttemptAt failure { code } transcript { text }
  progress { stage fraction totalSeconds etaSeconds isEstimate }
  attempts { number engine model requestId outcome startedAt failure { kind code message } } } }`;
const STATS = 'query Stats($queue: String) { queueStats(queue: $queue) { engineAvailable } }';

const pathOf = (failure?: string) =>
  failure === undefined ? SCRIPT : `${SCRIPT}?fail=${failure}@*&retryable=false`;

export async function startTwoEngines(): Promise<TwoEngines> {
  const deepgram = await startDeepgramStandIn();
  const paths = [undefined, ...FAILING].map(pathOf);
  const host = await hostFiles(Object.fromEntries(paths.map((path) => [path, { body: 'sound' }])));
  const service = await startService({
    workers: 0,
    env: {
      AUDIO_ALLOWED_NETWORKS: '127.0.0.0/8',
      ENGINE_ABSENT_SECONDS: '2',
      RETRY_BASE_SECONDS: '0.05',
      RETRY_MAX_SECONDS: '0.1',
    },
  });
  const { client, jobs } = service;
  let local: Promise<TestProcess> | null = null;
  const see = async (id: string) => (await client.request<{ job: SeenRun }>(JOB, { id })).job;
  return {
    service,
    deepgram,
    async addLocal() {
      local ??= service.addWorker({}, ['--engine', './test/support/scripted-engine.mjs']);
      await local;
    },
    addHosted: (apiKey = deepgram.apiKey) =>
      service.addWorker(
        {
          DEEPGRAM_API_KEY: apiKey,
          DEEPGRAM_BASE_URL: deepgram.baseUrl,
          DEEPGRAM_BREAKER_FAILURES: '1',
          DEEPGRAM_BREAKER_SECONDS: String(BREAKER_SECONDS),
        },
        ['--engine', 'deepgram'],
      ),
    aTalk: (failure) => ({ url: host.urlOf(pathOf(failure)) }),
    see,
    async finished(input) {
      const id = await jobs.accepted(input);
      await jobs.finished(id);
      return see(id);
    },
    async isAvailable(queue) {
      const answer = await client.request<{ queueStats: { engineAvailable: boolean } }>(STATS, { queue });
      return answer.queueStats.engineAvailable;
    },
    metrics: async () => (await fetch(`${service.server.url}/metrics`)).text(),
    async stop() {
      await service.stop();
      await host.close();
      await deepgram.close();
    },
  };
}
