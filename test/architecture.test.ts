import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { LAYERS, type Layer, PACKAGE_OWNERS } from './support/layers.ts';
import { withLayersTable } from './support/layers-table.ts';
import { findCycle, importsOf, readSources, type SourceFile } from './support/source-imports.ts';

/** Directly below src: the process and the wiring, which no layer may import. */
const isProgram = (path: string): boolean => /^src\/[^/]+\.ts$/.test(path);
const layerOf = (path: string): Layer | undefined =>
  LAYERS.find(({ folder }) => path.startsWith(`${folder}/`));
const isLocal = (target: string): boolean => /^(src|worker|migrations)\//.test(target);
const matches = (name: string, starts: readonly string[]): boolean =>
  starts.some((start) =>
    /[/:]$/.test(start) ? name.startsWith(start) : name === start || name.startsWith(`${start}/`),
  );

function refusal(file: SourceFile, target: string): string | null {
  const layer = layerOf(file.path);
  if (layer === undefined) return isProgram(file.path) ? null : `${file.path} is in no layer`;
  const refused = `${file.path} imports ${target}`;
  if (isLocal(target)) {
    const other = layerOf(target);
    return other === layer || (other !== undefined && layer.folders.includes(other.folder)) ? null : refused;
  }
  const owner = PACKAGE_OWNERS.find(({ packages }) => matches(target, packages));
  const isAllowed = owner
    ? owner.layers.includes(layer.folder)
    : layer.packages.includes('*') || matches(target, layer.packages);
  return isAllowed ? null : refused;
}

/** Waiting by hand, for which `src/process/wait.ts` and `node:events` have the better way. */
const BY_HAND = [
  /\bnew Promise\b/,
  /\baddEventListener\(\s*'abort'/,
  // In Node 20 such a timeout is lost to the garbage collector: use `withTimeout`.
  /\bAbortSignal\.any\([^;]*\bAbortSignal\.timeout\(/,
];

function waitsByHand({ path, text }: SourceFile): boolean {
  return !path.startsWith('src/process/') && BY_HAND.some((pattern) => pattern.test(text));
}

const sources = await readSources('src', 'worker', 'migrations');
const everything = [...sources, ...(await readSources('test', 'bench', 'examples'))];

describe('the architecture', () => {
  it('lets a layer import only what its row of the table allows', () => {
    const refused = sources.flatMap((file) => file.imports.map((target) => refusal(file, target)));

    expect(refused.filter((line) => line !== null)).toEqual([]);
  });

  it('has layers that import only layers below them', () => {
    const upward = LAYERS.flatMap(({ folder, folders }, position) =>
      folders
        .filter((other) => LAYERS.findIndex((layer) => layer.folder === other) <= position)
        .map((other) => `${folder} -> ${other}`),
    );

    expect(upward).toEqual([]);
  });

  it('is what docs/architecture.md shows (to rewrite its table: npm run check -- --update)', async () => {
    const document = new URL('../docs/architecture.md', import.meta.url);

    const updated = withLayersTable(await readFile(document, 'utf8'));

    await expect(updated).toMatchFileSnapshot(fileURLToPath(document));
  });

  it('has every source file in a layer or directly below src', () => {
    const homeless = sources.filter((file) => layerOf(file.path) === undefined && !isProgram(file.path));

    expect(homeless.map((file) => file.path)).toEqual([]);
  });

  it('has no import cycle', () => {
    expect(findCycle(everything)).toBeNull();
  });

  it('imports files of this repository with their extension', () => {
    const wrong = everything.flatMap((file) =>
      importsOf(file.text)
        .filter((specifier) => specifier.startsWith('.') && !/\.(m?ts|mjs|json)$/.test(specifier))
        .map((specifier) => `${file.path}: ${specifier}`),
    );

    expect(wrong).toEqual([]);
  });

  it('waits by the helpers of src/process', () => {
    expect(sources.filter(waitsByHand).map(({ path }) => path)).toEqual([]);
  });

  it('has no barrels and no vague file names', () => {
    const vague = /^(index|utils?|helpers?|common|misc|shared|types|interfaces)\.ts$/;

    expect(everything.filter((file) => vague.test(basename(file.path))).map((file) => file.path)).toEqual([]);
  });

  it('has default exports only where a tool requires them', () => {
    const toolsAsk = ['test/vitest.config.ts', 'test/support/global-setup.ts'];
    const defaults = everything.filter((file) => /^export default\b|\bas default\b/m.test(file.text));

    expect(defaults.map((file) => file.path).filter((path) => !toolsAsk.includes(path))).toEqual([]);
  });
});

describe('the rules', () => {
  const file = (path: string): SourceFile => ({ path, text: '', imports: [] });

  it.each([
    { path: 'src/domain/job.ts', target: 'node:fs' },
    { path: 'src/domain/job.ts', target: 'src/contract/codec.ts' },
    { path: 'src/storage/job-store.ts', target: 'src/app/submit-job.ts' },
    { path: 'src/app/submit-job.ts', target: 'pg' },
    { path: 'src/graphql/schema.ts', target: 'src/messaging/streams.ts' },
    { path: 'src/storage/job-store.ts', target: '@nats-io/jetstream' },
    { path: 'worker/main.ts', target: 'src/app/submit-job.ts' },
    { path: 'worker/main.ts', target: 'typeorm' },
    { path: 'worker/main.ts', target: 'node:child_process' },
    { path: 'src/leader/projector.ts', target: 'cockatiel' },
    { path: 'src/leader/projector.ts', target: 'src/server.ts' },
  ])('refuse $target in $path', ({ path, target }) => {
    expect(refusal(file(path), target)).toBe(`${path} imports ${target}`);
  });

  it.each([
    `await new Promise((resolve) => setTimeout(resolve, 100));`,
    `const done = new Promise<void>(start);`,
    `signal.addEventListener('abort', stop, { once: true });`,
    `const either = AbortSignal.any([\n  signal,\n  AbortSignal.timeout(1000),\n]);`,
  ])('refuse waiting by hand: %s', (text) => {
    expect(waitsByHand({ ...file('src/live/hub.ts'), text })).toBe(true);
    expect(waitsByHand({ ...file('src/process/wait.ts'), text })).toBe(false);
  });

  it.each([
    `await sleep(100, signal);`,
    `socket.addEventListener('close', stop);`,
    `const limit = AbortSignal.timeout(1000);\nconst either = AbortSignal.any([signal, other]);`,
  ])('allow %s', (text) => {
    expect(waitsByHand({ ...file('src/live/hub.ts'), text })).toBe(false);
  });

  it('find every form of import', () => {
    const text = `import a from 'a';\nimport {\n  b,\n} from "b";\nimport 'c';\nexport { d } from 'd';\nconst e = await import('e');\n`;

    expect([...importsOf(text)].sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});
