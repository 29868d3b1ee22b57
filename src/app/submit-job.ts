import { z } from 'zod';
import type { ServerConfig } from '../config/config.ts';
import type { Environment } from '../domain/environment.ts';
import { AudioSourceError, NotFoundError, ValidationError } from '../domain/errors.ts';
import { toId } from '../domain/ids.ts';
import type { JobView } from '../domain/job-view.ts';
import type { NewJob } from '../domain/new-job.ts';
import type { Principal } from '../domain/principal.ts';
import { TranscriptionOptions } from '../domain/transcription-options.ts';
import { defaulted, IdempotencyKey, optional, text, validate } from '../domain/validate.ts';
import { ENGINES, JOB_PRIORITIES } from '../domain/vocabulary.ts';
import { urlProblem } from '../network/url-guard.ts';
import type { KeyClaim, UsedKey } from '../storage/idempotency-keys.ts';
import type { Storage } from '../storage/open-storage.ts';
import { claimUpload } from '../uploads/stored-upload.ts';
import type { UploadDeps } from '../uploads/upload-deps.ts';
import { checkEngineOptions } from './check-engine-options.ts';
import { replayedJob, usedKey } from './idempotency.ts';

const MAX_METADATA_BYTES = 4096;
const MAX_FILENAME_CHARS = 255;
const DAY_MS = 86_400_000;

const AudioSource = z
  .object({
    url: optional(
      z
        .url({ protocol: /^https?$/, normalize: true, error: 'must be an absolute http or https URL' })
        .max(4096),
    ),
    uploadId: optional(z.string()),
  })
  .transform(({ url, uploadId }, context) => {
    if (url !== null && uploadId === null) return { url };
    if (uploadId !== null && url === null) return { uploadId };
    const message = 'needs exactly one of `url` and `uploadId`';
    context.addIssue({ code: 'custom', message, params: { rule: 'oneOf' } });
    return z.NEVER;
  });

export const SubmitJobInput = TranscriptionOptions.extend({
  audio: AudioSource,
  engines: optional(
    z
      .array(z.enum(ENGINES))
      .min(1)
      .max(ENGINES.length)
      .refine((engines) => new Set(engines).size === engines.length, {
        error: 'must not name an engine twice',
        params: { rule: 'unique' },
      }),
  ),
  priority: defaulted(z.enum(JOB_PRIORITIES), 'NORMAL'),
  scheduledFor: optional(z.date()),
  deadline: optional(z.date()),
  tags: defaulted(z.array(text(1, 64)).max(10), []),
  metadata: optional(
    z
      .record(z.string(), z.unknown())
      .readonly()
      .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= MAX_METADATA_BYTES, {
        error: `must have at most ${MAX_METADATA_BYTES} bytes of JSON`,
        params: { rule: 'max' },
      }),
  ),
  externalId: optional(text(1, 128)),
  idempotencyKey: optional(IdempotencyKey),
}).refine(
  ({ deadline, scheduledFor }) => deadline === null || scheduledFor === null || deadline > scheduledFor,
  { error: 'must be after `scheduledFor`', path: ['deadline'], params: { rule: 'after' } },
);
export type SubmitJobInput = z.input<typeof SubmitJobInput>;
type ValidInput = z.output<typeof SubmitJobInput>;

export interface SubmitJobDeps extends Pick<Storage, 'store' | 'reader' | 'models' | 'tenants'> {
  readonly uploads: UploadDeps;
  readonly environment: Environment;
  readonly config: Pick<
    ServerConfig,
    'MAX_ATTEMPTS' | 'DEFAULT_ENGINES' | 'RETENTION_DAYS' | 'AUDIO_ALLOWED_NETWORKS'
  >;
}

/**
 * Accepts a job: stored in one transaction with its idempotency key, so that both exist or neither. The recording
 * itself is read by the worker.
 *
 * @throws ValidationError, AudioSourceError, IdempotencyError, UnavailableError.
 */
export async function submitJob(
  deps: SubmitJobDeps,
  by: Principal,
  input: SubmitJobInput,
): Promise<{ readonly job: JobView; readonly replayed: boolean }> {
  const valid = validate(SubmitJobInput, input, ['input']);
  const now = deps.environment.now();
  const key = usedKey('submitJob', by, valid, now);
  // Before anything else is checked: the upload and the model of the first call may be gone, but its job is the answer.
  const earlier = key === null ? null : await deps.store.earlierClaim(key);
  if (earlier !== null) return replay(deps, by, earlier);
  const job = await newJob(deps, by, valid, now);
  checkDeadline(job);
  const view = await deps.store.insert({ job, key });
  if (view !== null) return { job: view, replayed: false };
  if (key === null) throw new Error(`job ${job.id} was not inserted`);
  return takeKey(deps, by, job, key);
}

/** The answer to the earlier call with the key. */
async function replay(
  { reader }: SubmitJobDeps,
  by: Principal,
  claim: Extract<KeyClaim, { claimed: false }>,
): Promise<{ readonly job: JobView; readonly replayed: boolean }> {
  return { job: await getJob(reader, by, replayedJob(claim)), replayed: true };
}

async function getJob(reader: Storage['reader'], by: Principal, id: string): Promise<JobView> {
  const job = (await reader.find(by.tenantId, [id])).get(id);
  if (job === undefined) throw new Error(`job ${id} was deleted while it was submitted`);
  return job;
}

/** Another call has the key, or had it: it is free again when it has expired or its job was deleted. */
async function takeKey(
  deps: SubmitJobDeps,
  by: Principal,
  job: NewJob,
  key: UsedKey,
): Promise<{ readonly job: JobView; readonly replayed: boolean }> {
  const claim = await deps.store.transaction(async (jobs) => {
    const claimed = await jobs.claimKey({ ...key, jobId: job.id });
    if (claimed.claimed) await jobs.insert(job);
    return claimed;
  });
  return claim.claimed
    ? { job: await getJob(deps.reader, by, job.id), replayed: false }
    : replay(deps, by, claim);
}

async function newJob(deps: SubmitJobDeps, by: Principal, input: ValidInput, now: Date): Promise<NewJob> {
  const { audio, engines: wanted, tags, idempotencyKey: _key, ...rest } = input;
  const { priority, scheduledFor, deadline, metadata, externalId, ...options } = rest;
  const { MAX_ATTEMPTS: maxAttempts, DEFAULT_ENGINES } = deps.config;
  const engines = wanted ?? (await deps.tenants.defaultEngines(by.tenantId)) ?? DEFAULT_ENGINES;
  await checkEngineOptions(deps.models, engines, options);
  return {
    id: toId('Job', deps.environment.uuid()),
    tenantId: by.tenantId,
    source: audio,
    audio: await describeAudio(deps, by, audio),
    tags: [...new Set(tags)],
    submittedAt: now,
    maxAttempts,
    ...{ engines, options, priority, scheduledFor, deadline, metadata, externalId },
  };
}

/** What is known about a recording before a worker reads it: of a URL its name, of an upload everything. */
async function describeAudio(
  deps: SubmitJobDeps,
  by: Principal,
  source: NewJob['source'],
): Promise<NewJob['audio']> {
  if ('url' in source) {
    const url = new URL(source.url);
    const problem = urlProblem(url, deps.config.AUDIO_ALLOWED_NETWORKS);
    if (problem !== null) throw new AudioSourceError('URL_BLOCKED', problem, ['input', 'audio', 'url']);
    return { filename: filenameOf(url), contentType: null, sizeBytes: null, sha256: null };
  }
  const keepUntil = new Date(deps.environment.now().getTime() + deps.config.RETENTION_DAYS * DAY_MS);
  try {
    const upload = await claimUpload(deps.uploads, by, source.uploadId, keepUntil);
    const { filename, contentType, sizeBytes, storedSha256: sha256 } = upload;
    return { filename, contentType, sizeBytes, sha256 };
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new AudioSourceError('AUDIO_UNREACHABLE', error.message, ['input', 'audio', 'uploadId']);
  }
}

function filenameOf(url: URL): string | null {
  const last = url.pathname.split('/').at(-1) ?? '';
  if (last === '') return null;
  try {
    return decodeURIComponent(last).slice(0, MAX_FILENAME_CHARS);
  } catch {
    return last.slice(0, MAX_FILENAME_CHARS); // A stray percent sign is legal in a file name.
  }
}

function checkDeadline({ deadline, submittedAt }: NewJob): void {
  if (deadline === null || deadline > submittedAt) return;
  const message = '`deadline` must be in the future.';
  throw new ValidationError([{ path: ['input', 'deadline'], rule: 'future', message }]);
}
