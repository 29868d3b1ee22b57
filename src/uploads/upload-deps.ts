import type { SignedLinks } from '../auth/signed-links.ts';
import type { ServerConfig } from '../config/config.ts';
import type { Environment } from '../domain/environment.ts';
import type { UploadRepository } from './upload-repository.ts';
import type { UploadStore } from './upload-store.ts';

/** What the use cases of uploads work with. */
export interface UploadDeps {
  readonly repository: UploadRepository;
  readonly store: UploadStore;
  readonly links: SignedLinks;
  readonly environment: Pick<Environment, 'now' | 'uuid'>;
  readonly config: Pick<ServerConfig, 'MAX_AUDIO_BYTES' | 'UPLOAD_TTL_SECONDS'>;
}

/** When an upload that is created or completed now expires. */
export function expiryOf({ config, environment }: UploadDeps): Date {
  return new Date(environment.now().getTime() + config.UPLOAD_TTL_SECONDS * 1000);
}
