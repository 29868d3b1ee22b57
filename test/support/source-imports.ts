import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface SourceFile {
  /** From the repository's root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Paths for files of this repository, specifiers as written for packages and `node:` modules. */
  readonly imports: readonly string[];
}

/** Every TypeScript file below these folders; a folder that does not exist has none. */
export async function readSources(...folders: readonly string[]): Promise<readonly SourceFile[]> {
  const lists = await Promise.all(folders.map((folder) => listSources(folder)));
  return Promise.all(lists.flat().sort().map(readSource));
}

async function listSources(folder: string): Promise<readonly string[]> {
  const paths = await readdir(join(ROOT, folder), { recursive: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  return paths.filter((path) => /\.m?ts$/.test(path)).map((path) => posix.join(folder, path));
}

async function readSource(path: string): Promise<SourceFile> {
  const text = await readFile(join(ROOT, path), 'utf8');
  return { path, text, imports: importsOf(text).map((specifier) => toPath(path, specifier)) };
}

/** TypeScript 7 has no parser for JavaScript callers; imports stand at the start of a line in formatted code. */
export function importsOf(text: string): readonly string[] {
  const patterns = [
    /^(?:import|export)\b[^;'"]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g,
  ];
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] as string));
}

function toPath(importer: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  return posix.join(dirname(importer), specifier);
}

/** The first import cycle found, as the files on it in order; null when there is none. */
export function findCycle(files: readonly SourceFile[]): readonly string[] | null {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): readonly string[] | null => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return null;
    for (const imported of byPath.get(path)?.imports ?? []) {
      const cycle = byPath.has(imported) ? visit(imported, [...trail, path]) : null;
      if (cycle !== null) return cycle;
    }
    done.add(path);
    return null;
  };
  for (const path of byPath.keys()) {
    const cycle = visit(path, []);
    if (cycle !== null) return cycle;
  }
  return null;
}
