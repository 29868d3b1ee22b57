import { access, constants, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** The first executable of this name in the folders of PATH, then in `further`; null when there is none. */
export async function findExecutable(
  name: string,
  env: NodeJS.ProcessEnv,
  further: readonly string[] = [],
): Promise<string | null> {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of [...folders, ...further]) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return null;
}
