import { z } from 'zod';
import { DEFAULT_MAX_LOST_RUNS, type LifecyclePolicy } from '../domain/lifecycle-events.ts';
import { ENGINES } from '../domain/vocabulary.ts';

const Url = z.url();
const Seconds = (fallback: number, max: number) => z.coerce.number().int().min(1).max(max).default(fallback);
const List = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );
const Network = z.union(
  [z.cidrv4(), z.cidrv6()],
  'must be networks in CIDR form, such as 10.0.0.0/8 or fd00::/8',
);
const LogLevel = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info');

const SharedEnvironment = z.object({
  NATS_URL: z.string().min(1).default('nats://127.0.0.1:4222'),
  /** A NATS credentials file, for servers that require a login. */
  NATS_CREDS: z.string().optional(),
  DATA_DIR: z.string().min(1).default('.data'),
  /** The folder for downloaded and built tools; by default the user's cache folder. */
  CACHE_DIR: z.string().min(1).optional(),
  LOG_LEVEL: LogLevel,
  /** Private networks, as CIDR, that recordings may come from; none by default. */
  AUDIO_ALLOWED_NETWORKS: List.pipe(z.array(Network)),
});

const ServerEnvironment = SharedEnvironment.extend({
  /** Copies of each stream in a cluster of nats-servers; existing streams are never scaled down. */
  NATS_REPLICAS: z.coerce.number().int().min(1).max(5).default(1),
  DATABASE_URL: Url.default('postgres://postgres@127.0.0.1:5432/postgres'),
  /** Postgres itself, where DATABASE_URL leads to a pooler in transaction mode. */
  DATABASE_DIRECT_URL: Url.optional(),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65535).default(4000),
  PUBLIC_URL: Url.optional(),
  /** Where workers fetch uploads from the server, if not at PUBLIC_URL. */
  WORKER_URL: Url.optional(),
  GRAPHIQL: z.enum(['on', 'off']).default('on'),
  /** Metrics for Prometheus at `/metrics`. */
  METRICS: z.enum(['on', 'off']).default('on'),
  CORS_ORIGINS: List,
  /** Host names that clients may use, besides those in the other variables. */
  ALLOWED_HOSTS: List,
  /** Per server process. Further clients are refused and should retry later. */
  MAX_WEBSOCKETS: z.coerce.number().int().min(1).default(10_000),
  MAX_SUBSCRIPTIONS: z.coerce.number().int().min(1).default(50_000),
  MAX_AUDIO_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .default(5 * 1024 ** 3),
  MAX_AUDIO_SECONDS: Seconds(10 * 3600, 7 * 86_400),
  UPLOAD_TTL_SECONDS: Seconds(3600, 86_400),
  ATTEMPT_TIMEOUT_SECONDS: Seconds(6 * 3600, 7 * 86_400),
  /** The engines of a job that names none, in order. */
  DEFAULT_ENGINES: List.transform((names) => (names.length === 0 ? ['WHISPER'] : names)).pipe(
    z.array(z.enum(ENGINES)),
  ),
  /** A job moves to its next engine when no worker of the first has announced itself for this long. */
  ENGINE_ABSENT_SECONDS: Seconds(60, 86_400),
  RETRY_BASE_SECONDS: z.coerce.number().min(0.01).max(3600).default(5),
  RETRY_MAX_SECONDS: z.coerce.number().min(0.01).max(86_400).default(300),
  MAX_ATTEMPTS: z.coerce.number().int().min(1).max(20).default(3),
  RETENTION_DAYS: z.coerce.number().int().min(1).max(3650).default(30),
  SHUTDOWN_GRACE_SECONDS: Seconds(10, 600),
  /** How often to look for tasks that a crash of the broker lost or made undeliverable. */
  RECONCILE_INTERVAL_SECONDS: Seconds(60, 3600),
  /** The task of a queued job without an event for this long is checked. */
  RECONCILE_SILENT_SECONDS: Seconds(180, 86_400),
  /** A run that has sent nothing for this long is lost; a worker without NATS stops its runs after 30 s. */
  WORKER_LOST_SECONDS: Seconds(60, 3600),
});

const WorkerEnvironment = SharedEnvironment.extend({
  WORKER_SLOTS: z.coerce.number().int().min(1).max(64).default(1),
  WORKER_GRACE_SECONDS: z.coerce.number().int().min(0).max(3600).default(20),
  WHISPER_MODEL: z.string().min(1).optional(),
  WHISPER_BIN: z.string().min(1).optional(),
  /** Builds whisper-cli for this CPU, or for any CPU with AVX2. */
  WHISPER_BUILD: z.enum(['native', 'portable']).default('native'),
  WHISPER_THREADS: z.coerce.number().int().min(1).max(256).optional(),
  WHISPER_BEAM_SIZE: z.coerce.number().int().min(1).max(8).default(5),
  /** Extra arguments for whisper-cli, separated by spaces, such as GPU flags. */
  WHISPER_ARGS: z.string().default(''),
  /** Drops text over audio that is certainly not speech, such as steady noise (worker/audio/speech-evidence.ts). */
  WHISPER_NOISE_CHECK: z.enum(['on', 'off']).default('on'),
  /** A Silero model in ggml format for whisper.cpp's own voice detection; not used for jobs with word times. */
  WHISPER_VAD_MODEL: z.string().min(1).optional(),
  WHISPER_DEVICE: z.string().default('cpu'),
  MODELS_DIR: z.string().min(1).default('models'),
  MODELS_BASE_URL: Url.default('https://huggingface.co/ggerganov/whisper.cpp/resolve/main'),
  FFMPEG_PATH: z.string().min(1).optional(),
  CHUNK_SECONDS: z.coerce.number().int().min(30).max(1800).default(180),
  DEEPGRAM_API_KEY: z.string().min(1).optional(),
  DEEPGRAM_BASE_URL: Url.optional(),
  DEEPGRAM_CONCURRENCY: z.coerce.number().int().min(1).max(100).default(5),
  /** The circuit breaker: after this many failures of Deepgram in a row, its worker takes no jobs for a while. */
  DEEPGRAM_BREAKER_FAILURES: z.coerce.number().int().min(1).max(1000).default(5),
  DEEPGRAM_BREAKER_SECONDS: Seconds(30, 600),
  DEEPGRAM_MODEL: z.string().min(1).default('nova-3'),
});

export type ServerConfig = Readonly<z.infer<typeof ServerEnvironment>>;
export type WorkerConfig = Readonly<z.infer<typeof WorkerEnvironment>>;

export function lifecyclePolicyOf(config: ServerConfig): LifecyclePolicy {
  return {
    baseDelayMs: config.RETRY_BASE_SECONDS * 1000,
    maxDelayMs: config.RETRY_MAX_SECONDS * 1000,
    maxLostRuns: DEFAULT_MAX_LOST_RUNS,
    retentionMs: config.RETENTION_DAYS * 86_400_000,
  };
}

/** The environment is invalid; the message names each invalid variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

function read<Schema extends z.ZodType>(schema: Schema, env: NodeJS.ProcessEnv): z.infer<Schema> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = schema.safeParse(present);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new ConfigError(
    `The configuration is invalid.\n  ${lines.join('\n  ')}\nREADME.md lists every variable.`,
  );
}

/** No other code reads `process.env` for settings. */
export function readServerConfig(env: NodeJS.ProcessEnv): ServerConfig {
  const config = read(ServerEnvironment, env);
  if (config.RETRY_MAX_SECONDS < config.RETRY_BASE_SECONDS) {
    throw new ConfigError('RETRY_MAX_SECONDS must be at least RETRY_BASE_SECONDS.');
  }
  return config;
}

export function readWorkerConfig(env: NodeJS.ProcessEnv): WorkerConfig {
  return read(WorkerEnvironment, env);
}
