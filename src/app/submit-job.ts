import { z } from 'zod';
import type { Environment } from '../domain/environment.ts';
import { IdempotencyError, ValidationError, type ValidationIssue } from '../domain/errors.ts';
import { toId } from '../domain/ids.ts';
import type { JobView } from '../domain/job-view.ts';
import type { NewJob } from '../domain/new-job.ts';
import type { Principal } from '../domain/principal.ts';
import {
  DEFAULT_MODEL,
  ENGINES,
  type Engine,
  JOB_PRIORITIES,
  type JobPriority,
  TIMESTAMP_GRANULARITIES,
  type TranscriptionOptions,
} from '../domain/vocabulary.ts';
import type { KeyClaim, UsedKey } from '../storage/idempotency-keys.ts';
import type { JobReader } from '../storage/job-reader.ts';
import type { JobStore } from '../storage/job-store.ts';
import type { ModelStore } from '../storage/model-store.ts';
import type { TenantStore } from '../storage/tenant-store.ts';
import { checkCapabilities, checkModel } from './check-engine-options.ts';
import { type FindAudioPorts, findAudio } from './find-audio.ts';
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

export interface SubmitJobPorts extends FindAudioPorts {
  readonly store: JobStore;
  readonly reader: JobReader;
  readonly models: ModelStore;
  readonly tenants: TenantStore;
  readonly environment: Environment;
  readonly policy: { readonly maxAttempts: number; readonly defaultEngines: readonly Engine[] };
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
  const now = ports.environment.now();
  const key = keyOf(ports, by, input, now);
  // First of all: what an earlier call was given need not be there any more, and its job is the answer all the same.
  const earlier = key === null ? null : await ports.store.earlierClaim(key);
  const claim = earlier ?? (await insertOnce(ports, await newJob(ports, by, input, now), input, key));
  const jobId = claim.claimed ? claim.jobId : replayOf(claim);
  const view = (await ports.reader.find(by.tenantId, [jobId])).get(jobId);
  if (view === undefined) throw new Error(`job ${jobId} vanished while it was submitted`);
  return { job: view, replayed: !claim.claimed };
}

function keyOf(ports: SubmitJobPorts, by: Principal, input: ValidInput, now: Date): UsedKey | null {
  const { idempotencyKey: key } = input;
  if (key === null) return null;
  const inputHash = ports.hash(JSON.stringify(input));
  return { tenantId: by.tenantId, operation: 'submitJob', key, inputHash, now };
}

async function newJob(ports: SubmitJobPorts, by: Principal, input: ValidInput, now: Date): Promise<NewJob> {
  const engines =
    input.engines ?? (await ports.tenants.defaultEngines(by.tenantId)) ?? ports.policy.defaultEngines;
  const options = optionsOf(input);
  checkCapabilities(engines, options);
  if (input.model !== null) checkModel(await ports.models.known(), engines, options);
  return {
    id: toId('Job', ports.environment.uuid()),
    tenantId: by.tenantId,
    externalId: input.externalId,
    engines,
    priority: input.priority ?? 'NORMAL',
    tags: [...new Set(input.tags ?? [])],
    metadata: input.metadata,
    ...(await findAudio(ports, by, input.audio)),
    options,
    submittedAt: now,
    scheduledFor: input.scheduledFor,
    deadline: input.deadline,
    maxAttempts: ports.policy.maxAttempts,
  };
}

type Submitted = { readonly claimed: true; readonly jobId: string } | Extract<KeyClaim, { claimed: false }>;

async function insertOnce(
  ports: SubmitJobPorts,
  job: NewJob,
  input: ValidInput,
  key: UsedKey | null,
): Promise<Submitted> {
  const inserted = { claimed: true, jobId: job.id } as const;
  if (key === null) {
    checkTimes(input, job.submittedAt);
    await ports.store.insert(job);
    return inserted;
  }
  return ports.store.transaction(async (jobs) => {
    // Another call with the key may have come in between.
    const claim = await jobs.claimKey({ ...key, jobId: job.id });
    if (!claim.claimed) return claim;
    // Only now: a call that is repeated after its deadline still gets its job.
    checkTimes(input, job.submittedAt);
    await jobs.insert(job);
    return inserted;
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
      rule: 'task',
      message: '`deadline` must be after `scheduledFor`.',
    });
  }
  if (issues.length > 0) throw new ValidationError(issues);
}

export interface SubmitJobInput {
  readonly audio: { readonly url?: string | null | undefined; readonly uploadId?: string | null | undefined };
  readonly engines?: readonly Engine[] | null | undefined;
  readonly model?: string | null | undefined;
  readonly deadline?: Date | null | undefined;
  readonly language?: string | null | undefined;
  readonly timestamps?: TranscriptionOptions['timestamps'] | null | undefined;
  readonly diarize?: boolean | null | undefined;
  readonly translateToEnglish?: boolean | null | undefined;
  readonly vocabulary?: readonly string[] | null | undefined;
  readonly priority?: JobPriority | null | undefined;
  readonly scheduledFor?: Date | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | null | undefined;
  readonly externalId?: string | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}
