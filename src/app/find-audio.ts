import { AudioSourceError, NotFoundError, ValidationError } from '../domain/errors.ts';
import type { NewJob } from '../domain/new-job.ts';
import type { Principal } from '../domain/principal.ts';

export interface FindAudioPorts {
  /** The stored file, kept from now on. @throws NotFoundError, ValidationError. */
  readonly claimUpload: (by: Principal, id: string) => Promise<NewJob['audio']>;
  /** Why a recording may not be fetched from there, or null. */
  readonly urlProblem: (url: URL) => string | null;
}

/**
 * What is known of a recording before anybody reads it: of a URL its name, of an upload all.
 *
 * @throws AudioSourceError, ValidationError.
 */
export async function findAudio(
  ports: FindAudioPorts,
  by: Principal,
  { url, uploadId }: { readonly url: string | null; readonly uploadId: string | null },
): Promise<Pick<NewJob, 'source' | 'audio'>> {
  if (url !== null) return audioAt(ports, url);
  const id = uploadId ?? '';
  try {
    return { source: { uploadId: id }, audio: await ports.claimUpload(by, id) };
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new AudioSourceError('AUDIO_UNREACHABLE', error.message, ['input', 'audio', 'uploadId']);
  }
}

function audioAt(ports: FindAudioPorts, text: string): Pick<NewJob, 'source' | 'audio'> {
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
