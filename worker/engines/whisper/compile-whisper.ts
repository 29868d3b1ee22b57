import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { bulkhead } from 'cockatiel';
import { buildStep } from './build-step.ts';

/** `native` is fastest on this machine's CPU; `portable` runs on any with AVX2, for images. */
export type BuildTarget = 'native' | 'portable';

export interface Compiler {
  readonly program: string;
  /** For the units that compute, which are the only ones to depend on the CPU. */
  readonly instructions: readonly string[];
  /** For all units and the linker. Without OpenMP whisper.cpp uses threads of its own. */
  readonly openMp: readonly string[];
}

/** A compiler process takes up to this much memory; more of them than fit would make the machine swap. */
const BYTES_PER_PROCESS = 1024 ** 3;

const KERNELS = 'ggml/src/ggml-cpu';
/**
 * What whisper.cpp 1.9.1's CMake files compile into whisper-cli for a CPU, without what the linker would drop. The
 * units that take longest come first, so that all cores finish at about the same time.
 */
export const UNITS: readonly string[] = [
  'src/whisper.cpp',
  'examples/common-whisper.cpp',
  ...['ops.cpp', 'repack.cpp'].map((file) => `${KERNELS}/${file}`),
  'ggml/src/ggml-quants.c',
  'examples/common.cpp',
  ...['repack.cpp', 'quants.c'].map(
    (file) => `${KERNELS}/arch/${process.arch === 'arm64' ? 'arm' : 'x86'}/${file}`,
  ),
  ...['gguf.cpp', 'ggml-backend-meta.cpp', 'ggml.c'].map((file) => `ggml/src/${file}`),
  ...['unary-ops.cpp', 'binary-ops.cpp'].map((file) => `${KERNELS}/${file}`),
  'examples/cli/cli.cpp',
  ...['quants.c', 'ggml-cpu.c', 'ggml-cpu.cpp', 'vec.cpp', 'traits.cpp'].map((file) => `${KERNELS}/${file}`),
  ...['amx/amx.cpp', 'amx/mmq.cpp'].map((file) => `${KERNELS}/${file}`),
  'examples/grammar-parser.cpp',
  ...['backend.cpp', 'backend-reg.cpp', 'backend-dl.cpp'].map((file) => `ggml/src/ggml-${file}`),
  ...['ggml-alloc.c', 'ggml-threading.cpp', 'ggml.cpp'].map((file) => `ggml/src/${file}`),
];

const DEFINITIONS: readonly string[] = [
  ...['GGML_USE_CPU', 'GGML_USE_CPU_REPACK', 'GGML_SCHED_MAX_COPIES=4', 'NDEBUG', '_XOPEN_SOURCE=600'],
  ...['GGML_VERSION="0.15.1"', 'GGML_COMMIT="unknown"', 'WHISPER_VERSION="1.9.1"'],
  process.platform === 'darwin' ? '_DARWIN_C_SOURCE' : '_GNU_SOURCE',
];

/** By architecture. Only x64 has been tried; arm64 follows whisper.cpp's CMake files. */
const INSTRUCTIONS: Readonly<Record<string, Readonly<Record<BuildTarget, readonly string[]>>>> = {
  x64: { native: ['-march=native'], portable: ['-msse4.2', '-mavx2', '-mfma', '-mf16c', '-mbmi2'] },
  arm64: { native: ['-mcpu=native'], portable: [] },
};

/** A program for an image must run where no compiler, and none of its libraries, is installed. */
const STATIC: Readonly<Record<BuildTarget, readonly string[]>> = {
  native: [],
  portable: process.platform === 'linux' ? ['-static-libgcc', '-static-libstdc++'] : [],
};

/** What the result depends on besides the sources and the compiler. */
export const COMPILE_RECIPE = JSON.stringify([UNITS, DEFINITIONS, INSTRUCTIONS, STATIC]);

const PROBE = `#include <thread>
#include <vector>
#ifdef _OPENMP
#include <omp.h>
#endif
int main() { return std::vector<int>{0}[0]; }
`;

/** The first C++ compiler in PATH whose programs run here; null when none does, or not on this architecture. */
export async function findCompiler(
  folder: string,
  target: BuildTarget,
  signal: AbortSignal,
): Promise<Compiler | null> {
  const instructions = INSTRUCTIONS[process.arch]?.[target];
  if (instructions === undefined) return null;
  const [source, probe] = [join(folder, 'probe.cpp'), join(folder, 'probe')];
  await writeFile(source, PROBE);
  for (const program of ['c++', 'g++', 'clang++']) {
    for (const openMp of [['-fopenmp'], []]) {
      const flags = [...instructions, ...openMp, ...STATIC[target], '-pthread'];
      try {
        await buildStep('compiling', [program, ...flags, source, '-o', probe], {}, signal);
        await buildStep('running', [probe], {}, signal);
        return { program, instructions, openMp };
      } catch {
        signal.throwIfAborted();
      }
    }
  }
  return null;
}

/**
 * Compiles and links whisper-cli in the folder of its sources.
 *
 * @returns The path of the program.
 * @throws WhisperMissingError with the compiler's message; the signal's reason.
 */
export async function compileWhisperCli(
  sources: string,
  target: BuildTarget,
  compiler: Compiler,
  onPercent: (percent: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const { program, openMp } = compiler;
  await mkdir(join(sources, 'objects'));
  const objects = UNITS.map((_, index) => `objects/${index}.o`);
  const processes = Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / BYTES_PER_PROCESS)));
  let done = 0;
  onPercent(0);
  await allOrNone(processes, UNITS, signal, async (unit, index, either) => {
    const command = [...unitArguments(unit, compiler), '-c', unit, '-o', `objects/${index}.o`];
    await buildStep(`compiling ${unit}`, [program, ...command], { cwd: sources }, either);
    done += 1;
    onPercent(Math.floor((done / UNITS.length) * 100));
  });
  const libraries = ['-pthread', '-lm', ...(process.platform === 'linux' ? ['-ldl'] : [])];
  const link = [...objects, ...openMp, ...STATIC[target], ...libraries, '-o', 'whisper-cli'];
  await buildStep('linking', [program, ...link], { cwd: sources }, signal);
  return join(sources, 'whisper-cli');
}

function unitArguments(unit: string, { instructions, openMp }: Compiler): string[] {
  const isGgml = unit.startsWith('ggml/');
  // Both folders have a common.h.
  const folders = isGgml
    ? ['ggml/include', 'ggml/src', KERNELS]
    : ['include', 'src', 'ggml/include', 'examples'];
  return [
    ...(unit.endsWith('.c') ? ['-x', 'c', '-std=gnu11'] : ['-x', 'c++', '-std=gnu++17']),
    // The command line does no work that is worth the 14 s that -O3 takes for its readers of audio files.
    unit.startsWith('examples/') ? '-O1' : '-O3',
    ...folders.map((folder) => `-I${folder}`),
    ...DEFINITIONS.map((definition) => `-D${definition}`),
    ...openMp,
    ...(openMp.length > 0 && isGgml ? ['-DGGML_USE_OPENMP'] : []),
    ...(unit.startsWith(KERNELS) ? instructions : []),
  ];
}

/** Works on the items, so many at a time. The first failure ends all, and is thrown once all have ended. */
async function allOrNone<Item>(
  atOnce: number,
  items: readonly Item[],
  signal: AbortSignal,
  work: (item: Item, index: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const slots = bulkhead(atOnce, items.length);
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  await Promise.allSettled(
    items.map((item, index) =>
      slots.execute(() => work(item, index, either)).catch((error: unknown) => failed.abort(error)),
    ),
  );
  either.throwIfAborted();
}
