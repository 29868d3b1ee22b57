import { z } from 'zod';
import { unsupportedOptions } from '../domain/engine-capabilities.ts';
import {
  AudioSourceError,
  IdempotencyError,
  NotFoundError,
  ValidationError,
  type ValidationIssue,
} from '../domain/errors.ts';
import { toId } from '../domain/ids.ts';
import {
  DEFAULT_MODEL,
  ENGINES,
  type Engine,
  JOB_PRIORITIES,
  TIMESTAMP_GRANULARITIES,
  type TranscriptionOptions,
} from '../domain/vocabulary.ts';
import type { JobView, ModelView, Principal, SubmitJobInput } from './application.ts';
import type { Environment, JobReader, JobStore, KeyClaim, ModelStore, NewJob, TenantStore } from './ports.ts';
import { validate } from './validate.ts';

const MAX_METADATA_BYTES = 4096;

/** BCP 47 in the shapes that engines understand: language, script, region. Source: RFC 5646 §2.1. */
const LanguageTag = z
  .string()
  .regex(
    /^[a-zA-Z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?$/,
    'must be a BCP 47 tag such as `en` or `pt-BR`',
  );

const optional = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullish().transform((value) => value ?? null);

const SubmitJob = z.object({
  audio: z
    .object({ url: optional(z.string().max(4096)), uploadId: optional(z.string()) })
    .refine(
      (audio) => (audio.url === null) !== (audio.uploadId === null),
      'needs exactly one of `url` and `uploadId`',
    ),
  engines: optional(
    z
      .array(z.enum(ENGINES))
      .min(1)
      .max(ENGINES.length)
      .refine((engines) => new Set(engines).size === engines.length, 'must not name an engine twice'),
  ),
  model: optional(z.string().min(1).max(100)),
  deadline: optional(z.date()),
  language: optional(LanguageTag),
  timestamps: z.enum(TIMESTAMP_GRANULARITIES).nullish(),
  diarize: z.boolean().nullish(),
  translateToEnglish: z.boolean().nullish(),
  vocabulary: optional(z.array(z.string().min(1).max(100)).max(100)),
  priority: z.enum(JOB_PRIORITIES).nullish(),
  scheduledFor: optional(z.date()),
  tags: optional(z.array(z.string().min(1).max(64)).max(10)),
  metadata: optional(
    z
      .record(z.string(), z.unknown())
      .refine(
        (value) => new TextEncoder().encode(JSON.stringify(value)).byteLength <= MAX_METADATA_BYTES,
        `must be at most ${MAX_METADATA_BYTES} bytes of JSON`,
      ),
  ),
  externalId: optional(z.string().min(1).max(128)),
  idempotencyKey: optional(z.string().min(8).max(128)),
});
type ValidInput = z.infer<typeof SubmitJob>;

export interface SubmitJobPorts {
  readonly store: JobStore;
  readonly reader: JobReader;
  readonly models: ModelStore;
  readonly tenants: TenantStore;
  readonly environment: Environment;
  readonly policy: { readonly maxAttempts: number; readonly defaultEngines: readonly Engine[] };
  /** The stored file, kept from now on. @throws NotFoundError, ValidationError. */
  readonly claimUpload: (by: Principal, id: string) => Promise<NewJob['audio']>;
  /** Why a recording may not be fetched from there, or null. */
  readonly urlProblem: (url: URL) => string | null;
  readonly hash: (text: string) => string;
}

/**
 * Accepts a job: stored in one transaction with its idempotency key, so that it is either wholly there
 * or not at all. Reading the audio is the worker's business.
 *
 * @throws ValidationError, AudioSourceError, IdempotencyError, UnavailableError.
 */
export async function submitJob(
  ports: SubmitJobPorts,
  by: Principal,
  raw: SubmitJobInput,
): Promise<{ readonly job: JobView; readonly replayed: boolean }> {
  const input = validate(SubmitJob, raw, ['input']);
  const engines =
    input.engines ?? (await ports.tenants.defaultEngines(by.tenantId)) ?? ports.policy.defaultEngines;
  const options = optionsOf(input);
  const now = ports.environment.now();
  checkCapabilities(engines, options);
  if (input.model !== null) checkModel(await ports.models.known(), engines, options);
  const { source, audio } = await findAudio(ports, by, input);

  const job: NewJob = {
    id: toId('Job', ports.environment.uuid()),
    tenantId: by.tenantId,
    externalId: input.externalId,
    engines,
    priority: input.priority ?? 'NORMAL',
    tags: [...new Set(input.tags ?? [])],
    metadata: input.metadata,
    source,
    audio,
    options,
    submittedAt: now,
    scheduledFor: input.scheduledFor,
    deadline: input.deadline,
    maxAttempts: ports.policy.maxAttempts,
  };
  const claim = await insertOnce(ports, job, input);
  const jobId = claim.claimed ? job.id : replayOf(claim);
  const view = (await ports.reader.find(by.tenantId, [jobId])).get(jobId);
  if (view === undefined) throw new Error(`job ${jobId} vanished while it was submitted`);
  return { job: view, replayed: !claim.claimed };
}

async function insertOnce(ports: SubmitJobPorts, job: NewJob, input: ValidInput): Promise<KeyClaim> {
  const key = input.idempotencyKey;
  if (key === null) {
    checkTimes(input, job.submittedAt);
    await ports.store.insert(job);
    return { claimed: true };
  }
  return ports.store.transaction(async (jobs) => {
    const claim = await jobs.claimKey({
      tenantId: job.tenantId,
      operation: 'submitJob',
      key,
      inputHash: ports.hash(JSON.stringify(input)),
      jobId: job.id,
      now: job.submittedAt,
    });
    if (!claim.claimed) return claim;
    // Only now: a call that is repeated after its deadline still gets its job.
    checkTimes(input, job.submittedAt);
    await jobs.insert(job);
    return claim;
  });
}

/** The job of an earlier call with the same key. @throws IdempotencyError when that call asked for something else. */
export function replayOf(claim: Extract<KeyClaim, { claimed: false }>): string {
  if (claim.sameInput) return claim.jobId;
  throw new IdempotencyError(
    'IDEMPOTENCY_MISMATCH',
    'This idempotencyKey was used with a different input in the last 24 hours. Use a new key for a new request.',
    { jobId: claim.jobId, firstUsedAt: claim.firstUsedAt },
  );
}

function optionsOf(input: ValidInput): TranscriptionOptions {
  return {
    model: input.model ?? DEFAULT_MODEL,
    language: input.language,
    timestamps: input.timestamps ?? 'SEGMENT',
    diarize: input.diarize ?? false,
    translateToEnglish: input.translateToEnglish ?? false,
    vocabulary: input.vocabulary ?? [],
  };
}

function checkTimes(input: ValidInput, now: Date): void {
  const issues: ValidationIssue[] = [];
  if (input.deadline !== null && input.deadline <= now) {
    issues.push({
      path: ['input', 'deadline'],
      rule: 'future',
      message: '`deadline` must be in the future.',
    });
  }
  if (input.deadline !== null && input.scheduledFor !== null && input.deadline <= input.scheduledFor) {
    issues.push({
      path: ['input', 'deadline'],
      rule: 'order',
      message: '`deadline` must be after `scheduledFor`.',
    });
  }
  if (issues.length > 0) throw new ValidationError(issues);
}

/** An option that one of the engines lacks is refused, never silently dropped. */
function checkCapabilities(engines: readonly Engine[], options: TranscriptionOptions): void {
  const issues = engines.flatMap((engine) =>
    unsupportedOptions(engine, options).map(({ field, message }) => ({
      path: ['input', field],
      rule: 'unsupported',
      message,
    })),
  );
  if (issues.length > 0) throw new ValidationError(issues, 'UNSUPPORTED');
}

/** `model` names one of the first engine's; nothing is refused while no worker of it was ever seen. */
function checkModel(
  models: readonly ModelView[],
  engines: readonly Engine[],
  options: TranscriptionOptions,
): void {
  if (options.model === DEFAULT_MODEL) return;
  const [engine] = engines;
  const known = models.filter((model) => model.engine === engine);
  const model = known.find((candidate) => candidate.name === options.model);
  if (known.length === 0) return;
  if (model === undefined) {
    const names = known.map((candidate) => candidate.name).join(', ');
    const message = `\`model\` ${options.model} is not among the models of ${engine}: ${names}.`;
    throw new ValidationError([{ path: ['input', 'model'], rule: 'known', message }]);
  }
  const language = options.language?.split('-')[0]?.toLowerCase();
  if (language === undefined || model.languages.length === 0) return;
  if (model.languages.some((candidate) => candidate.split('-')[0]?.toLowerCase() === language)) return;
  const message = `\`language\` ${options.language} is not understood by ${model.name}, which knows: ${model.languages.join(', ')}.`;
  throw new ValidationError([{ path: ['input', 'language'], rule: 'unsupported', message }], 'UNSUPPORTED');
}

async function findAudio(
  ports: SubmitJobPorts,
  by: Principal,
  input: ValidInput,
): Promise<Pick<NewJob, 'source' | 'audio'>> {
  const { url, uploadId } = input.audio;
  if (url !== null) return audioAt(ports, url);
  const id = uploadId ?? '';
  try {
    return { source: { uploadId: id }, audio: await ports.claimUpload(by, id) };
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new AudioSourceError('AUDIO_UNREACHABLE', error.message, ['input', 'audio', 'uploadId']);
  }
}

function audioAt(ports: SubmitJobPorts, text: string): Pick<NewJob, 'source' | 'audio'> {
  const path = ['input', 'audio', 'url'];
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    const message = '`audio.url` must be an absolute http or https URL.';
    throw new ValidationError([{ path, rule: 'url', message }]);
  }
  const problem = ports.urlProblem(url);
  if (problem !== null) throw new AudioSourceError('URL_BLOCKED', problem, path);
  const last = url.pathname.split('/').at(-1) ?? '';
  const filename = last === '' ? null : decodeURIComponentSafely(last).slice(0, 255);
  return { source: { url: url.href }, audio: { filename, contentType: null, sizeBytes: null, sha256: null } };
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A stray percent sign is a legal file name, if not a legal encoding.
  }
}
