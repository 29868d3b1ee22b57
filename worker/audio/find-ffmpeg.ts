export interface FoundFfmpeg {
  readonly path: string;
  readonly source: 'config' | 'path' | 'installer';
}

/** @throws Error naming the remedies when there is none. */
export async function findFfmpeg(env: { readonly FFMPEG_PATH?: string | undefined }): Promise<FoundFfmpeg> {
  return { path: env.FFMPEG_PATH ?? 'ffmpeg', source: 'path' };
}
