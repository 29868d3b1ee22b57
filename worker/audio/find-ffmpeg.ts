import { createRequire } from 'node:module';
import { findExecutable, isExecutable } from '../../src/process/find-executable.ts';

export interface FoundFfmpeg {
  readonly path: string;
  /** `installer` is the build of 2018 in the npm package: fine for your own recordings, not for untrusted ones. */
  readonly source: 'config' | 'path' | 'installer';
}

/** There is no ffmpeg on this machine; the message names the remedies. */
export class FfmpegMissingError extends Error {
  override readonly name = 'FfmpegMissingError';
}

const REMEDY =
  'Install it (Debian and Ubuntu: apt install ffmpeg; macOS: brew install ffmpeg) or set FFMPEG_PATH.';

/**
 * The ffmpeg to decode with. The caller logs a warning for `installer`.
 * @throws FfmpegMissingError
 */
export async function findFfmpeg(env: { readonly FFMPEG_PATH?: string | undefined }): Promise<FoundFfmpeg> {
  if (env.FFMPEG_PATH !== undefined) {
    if (await isExecutable(env.FFMPEG_PATH)) return { path: env.FFMPEG_PATH, source: 'config' };
    throw new FfmpegMissingError(
      `FFMPEG_PATH is ${env.FFMPEG_PATH}, which is not an executable file. ${REMEDY}`,
    );
  }
  const inPath = await findExecutable('ffmpeg');
  if (inPath !== null) return { path: inPath, source: 'path' };
  const installed = installerPath();
  if (installed !== null && (await isExecutable(installed))) return { path: installed, source: 'installer' };
  throw new FfmpegMissingError(`There is no ffmpeg on this machine. ${REMEDY}`);
}

function installerPath(): string | null {
  const require = createRequire(import.meta.url);
  try {
    // The package throws while loading where it has no build for the platform.
    const installer: unknown = require('@ffmpeg-installer/ffmpeg');
    if (typeof installer !== 'object' || installer === null || !('path' in installer)) return null;
    return typeof installer.path === 'string' ? installer.path : null;
  } catch {
    return null;
  }
}
