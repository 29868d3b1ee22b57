import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

/** Where packages put programs that the PATH of a service or of an ordinary user often lacks. */
const USUAL_FOLDERS = ['/usr/local/bin', '/usr/sbin', '/opt/homebrew/bin'];

/** The full path of a program, looked up in PATH and then in the usual folders; null when there is none. */
export async function findExecutable(
  name: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | null> {
  const folders = (env.PATH ?? '').split(delimiter).filter(isAbsolute);
  for (const folder of [...folders, ...USUAL_FOLDERS]) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return null;
}

export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
