import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

/** Where services' PATH often misses what is installed. */
const USUAL_FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin', '/opt/homebrew/bin'];
const found = new Map<string, Promise<string | null>>();

/** The full path of a program, looked up in PATH and the usual folders; null when there is none. */
export function findExecutable(name: string): Promise<string | null> {
  const known = found.get(name);
  if (known !== undefined) return known;
  const search = searchFor(name);
  found.set(name, search);
  return search;
}

async function searchFor(name: string): Promise<string | null> {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(isAbsolute), ...USUAL_FOLDERS];
  for (const folder of folders) {
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
