import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DEMO_MODEL, findInCatalogue, modelFileName, modelNameOf } from './catalogue.ts';

export interface ModelFile {
  readonly name: string;
  readonly path: string;
}

/** A model is missing or its file is not what it should be; the message names the remedy. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
}

/** `ggml` as whisper.cpp writes it, the first four bytes of every model. */
const MAGIC = 0x67676d6c;

/** The models in a folder by name, the demo last. */
export async function listModels(directory: string): Promise<readonly ModelFile[]> {
  const files = await readdir(directory).catch(() => []);
  const real = files.toSorted().flatMap((file) => {
    const name = modelNameOf(file);
    const isModel = name !== null && !name.startsWith('silero') && !name.startsWith('for-tests');
    return isModel ? [{ name, path: resolve(directory, file) }] : [];
  });
  const demo = await findDemoModel(directory);
  return demo === null || real.some((model) => model.name === demo.name) ? real : [...real, demo];
}

/**
 * The model to use when a job names none.
 * @param wanted A name in the folder or a path; undefined takes the first real model, else the demo.
 * @throws ModelError
 */
export async function chooseDefaultModel(directory: string, wanted: string | undefined): Promise<ModelFile> {
  const models = await listModels(directory);
  if (wanted === undefined) {
    const first = models[0];
    if (first === undefined) {
      throw new ModelError(`There is no model in ${directory}. Pull one: npm run models -- pull base.en`);
    }
    return first;
  }
  const named = models.find((model) => model.name === wanted);
  if (named !== undefined) return named;
  if (!(await exists(wanted))) {
    const have = models.map((model) => model.name).join(', ') || 'none';
    throw new ModelError(
      `There is no model ${wanted} in ${directory} (there: ${have}). Pull it: npm run models -- pull ${wanted}`,
    );
  }
  return { name: modelNameOf(basename(wanted)) ?? basename(wanted, '.bin'), path: resolve(wanted) };
}

/**
 * Reads the whole file once: whisper.cpp runs a truncated model without complaint.
 * @throws ModelError when the file is no model, or not the one its name says.
 */
export async function checkModel(model: ModelFile, signal: AbortSignal): Promise<void> {
  const remedy = `Delete it and pull it again: npm run models -- pull ${model.name}`;
  if (!(await startsWithMagic(model.path))) {
    throw new ModelError(`${model.path} is not a whisper.cpp model. ${remedy}`);
  }
  const expected = await expectedChecksum(model);
  if (expected === null) return;
  const actual = await hashFile(model.path, expected.algorithm, signal);
  if (actual !== expected.value) {
    throw new ModelError(
      `${model.path} is damaged: its ${expected.algorithm} is ${actual}, not ${expected.value}. ${remedy}`,
    );
  }
}

async function hashFile(path: string, algorithm: string, signal: AbortSignal): Promise<string> {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(path, { highWaterMark: 1024 ** 2 }), hash, { signal });
  return hash.digest('hex');
}

/** A side-car is written when a model is pulled, so that models unknown to the catalogue are checked too. */
async function expectedChecksum(model: ModelFile) {
  const known = basename(model.path) === modelFileName(model.name) ? findInCatalogue(model.name) : null;
  if (known !== null) return known.checksum;
  const sideCar = await readFile(`${model.path}.sha256`, 'utf8').catch(() => null);
  const value = sideCar === null ? undefined : /^[0-9a-f]{64}/.exec(sideCar)?.[0];
  return value === undefined ? null : { algorithm: 'sha256', value };
}

async function startsWithMagic(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.readUInt32LE(0) === MAGIC && (await stat(path)).isFile();
  } finally {
    await file.close();
  }
}

/** In the models folder, or beside the program's own source. */
async function findDemoModel(directory: string): Promise<ModelFile | null> {
  const file = join('demo', modelFileName(DEMO_MODEL));
  const candidates = [join(directory, file)];
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    candidates.push(join(folder, 'models', file));
  }
  for (const path of candidates) {
    if (await exists(path)) return { name: DEMO_MODEL, path: resolve(path) };
  }
  return null;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
