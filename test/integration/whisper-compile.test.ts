import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type Compiler,
  compileWhisperCli,
  findCompiler,
  UNITS,
} from '../../worker/engines/whisper/compile-whisper.ts';
import { makePathFolder } from '../support/path-folder.ts';

const never = new AbortController().signal;

let directory: string;
let sources: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'compile-'));
  sources = join(directory, 'sources');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

/** The tree of whisper.cpp with almost nothing in its files. */
async function writeSources(changes: Readonly<Record<string, string>> = {}): Promise<void> {
  const main = '#include <cstdio>\nint main() { puts(WHISPER_VERSION); }\n';
  for (const unit of UNITS) {
    const text = unit === 'examples/cli/cli.cpp' ? main : 'extern int unused;\n';
    await mkdir(dirname(join(sources, unit)), { recursive: true });
    await writeFile(join(sources, unit), changes[unit] ?? text);
  }
}

async function findGcc(): Promise<Compiler> {
  // All that a compiler runs, and nothing that runs compilers, such as cmake and make.
  vi.stubEnv('PATH', await makePathFolder(directory, ['g++', 'as', 'ld']));
  const compiler = await findCompiler(directory, 'native', never);
  if (compiler === null) throw new Error('This test needs g++.');
  return compiler;
}

describe('a machine with a C++ compiler and nothing else', () => {
  test('builds a program that runs, and counts up to 100 %', async () => {
    const percents: number[] = [];
    await writeSources();
    const compiler = await findGcc();

    const onPercent = (percent: number) => percents.push(percent);
    const program = await compileWhisperCli(sources, 'portable', compiler, onPercent, never);

    expect((await execa(program)).stdout).toBe('1.9.1');
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect([percents[0], percents.at(-1)]).toEqual([0, 100]);
  });

  test('names the file that does not compile, with the message of the compiler', async () => {
    await writeSources({ 'ggml/src/gguf.cpp': '#error a missing header\n' });
    const compiler = await findGcc();

    const build = compileWhisperCli(sources, 'native', compiler, () => {}, never);

    await expect(build).rejects.toThrow(/compiling ggml\/src\/gguf\.cpp failed.*a missing header/s);
  });

  test('stops with the reason of the signal', async () => {
    const stop = new AbortController();
    const reason = new Error('stop');
    await writeSources();
    const compiler = await findGcc();

    const onPercent = () => stop.abort(reason);
    const build = compileWhisperCli(sources, 'native', compiler, onPercent, stop.signal);

    await expect(build).rejects.toBe(reason);
  });
});

describe('a compiler', () => {
  async function fakeCompilers(scripts: Readonly<Record<string, string>>): Promise<Compiler | null> {
    const folder = join(directory, 'bin');
    await mkdir(folder);
    for (const [name, script] of Object.entries(scripts)) {
      await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    vi.stubEnv('PATH', `${folder}:${await makePathFolder(directory, [])}`);
    return findCompiler(directory, 'native', never);
  }
  /** Writes a program that runs to the last argument. */
  const WORKS = 'for last; do :; done; echo "#!/bin/sh" > "$last"; /bin/chmod +x "$last"';

  test('is passed over when it fails, or when its program does not run', async () => {
    const noHeaders = 'echo "vector: no such file" >&2; exit 1';
    const found = await fakeCompilers({
      'c++': noHeaders,
      'g++': WORKS.replace('#!/bin/sh', '#!/bin/false'),
      'clang++': WORKS,
    });

    expect(found).toMatchObject({ program: 'clang++', openMp: ['-fopenmp'] });
  });

  test('without OpenMP is used without it', async () => {
    const found = await fakeCompilers({ 'g++': `case "$*" in *openmp*) exit 1;; esac; ${WORKS}` });

    expect(found).toMatchObject({ program: 'g++', openMp: [] });
  });

  test('that does not exist is not found', async () => {
    expect(await fakeCompilers({})).toBeNull();
  });
});
