import { resolve } from 'node:path';
import envPaths from 'env-paths';

/**
 * The folder for downloaded and built tools, shared by all clones of a user: `CACHE_DIR`, or the cache folder of the
 * platform (`XDG_CACHE_HOME` is respected).
 */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  return env.CACHE_DIR ? resolve(env.CACHE_DIR) : envPaths('transcription-service', { suffix: '' }).cache;
}
