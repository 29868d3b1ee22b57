import { resolve } from 'node:path';
import envPaths from 'env-paths';

/**
 * Where downloaded and built tools live, shared by every clone of one user: `CACHE_DIR`, or the platform's
 * cache folder (`XDG_CACHE_HOME` is obeyed).
 */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  return env.CACHE_DIR ? resolve(env.CACHE_DIR) : envPaths('transcription-service', { suffix: '' }).cache;
}
