import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { findExecutable } from '../../src/process/find-executable.ts';
import { kernelPrefix } from '../../src/process/kernel-prefix.ts';

const BASIC_PROGRAMS = ['npm', 'sh', 'env', 'tar', 'gzip'];

/** Makes a folder that as PATH gives a machine with these programs and the basic ones only. @returns The folder. */
export async function makePathFolder(directory: string, programs: readonly string[]): Promise<string> {
  // It remembers what it finds in the first PATH, and this folder does not stay.
  await kernelPrefix('KILL', undefined);
  const folder = join(directory, ['path', ...programs].join('-'));
  await mkdir(folder);
  await symlink(process.execPath, join(folder, 'node'));
  for (const name of [...BASIC_PROGRAMS, ...programs]) {
    const path = await findExecutable(name);
    if (path !== null) await symlink(path, join(folder, name));
  }
  return folder;
}
