import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCycle, importsOf, readSources, type SourceFile } from './support/source-imports.ts';

/** What a folder may import besides itself: other folders, and packages by the start of their names. */
interface Layer {
  readonly folders: readonly string[];
  /** `*` is any; `node:` is Node's own modules. */
  readonly packages: readonly string[];
}

const NATS = '@nats-io/';
const DATABASE = ['typeorm', 'pg'];
const GRAPHQL = ['graphql', '@pothos/', '@graphql-yoga/', '@escape.tech/'];

/** Who may import whom; a new folder needs its row here. */
const LAYERS: Readonly<Record<string, Layer>> = {
  'src/domain': { folders: [], packages: [] },
  'src/captions': { folders: ['src/domain'], packages: [] },
  'src/observability': { folders: [], packages: ['*'] },
  'src/config': { folders: ['src/domain'], packages: ['*'] },
  'src/process': { folders: ['src/domain', 'src/observability'], packages: ['*'] },
  'src/network': { folders: [], packages: ['*'] },
  'src/contract': { folders: ['src/domain'], packages: ['zod'] },
  'src/messaging': {
    folders: ['src/app', 'src/contract', 'src/domain', 'src/observability', 'src/process'],
    packages: ['*'],
  },
  migrations: { folders: [], packages: ['typeorm'] },
  'src/storage': {
    folders: ['src/app', 'src/config', 'src/domain', 'src/observability', 'migrations'],
    packages: ['*'],
  },
  'src/uploads': { folders: ['src/app', 'src/domain'], packages: ['*'] },
  'src/app': {
    folders: ['src/domain', 'src/contract', 'src/captions'],
    packages: ['zod', 'uuid'],
  },
  'src/live': {
    folders: ['src/app', 'src/contract', 'src/domain', 'src/observability', 'src/process'],
    packages: ['*'],
  },
  'src/leader': {
    folders: ['src/app', 'src/messaging', 'src/contract', 'src/domain', 'src/observability', 'src/process'],
    packages: ['*'],
  },
  'src/auth': { folders: ['src/app', 'src/domain', 'src/observability'], packages: ['*'] },
  'src/graphql': {
    folders: ['src/app', 'src/captions', 'src/domain', 'src/observability'],
    packages: ['*'],
  },
  'src/http': {
    folders: [
      'src/graphql',
      'src/app',
      'src/uploads',
      'src/domain',
      'src/auth',
      'src/config',
      'src/observability',
      'src/process',
    ],
    packages: ['*'],
  },
  'src/local': {
    folders: ['src/config', 'src/observability', 'src/process', 'src/storage'],
    packages: ['*'],
  },
  worker: {
    folders: [
      'src/domain',
      'src/contract',
      'src/messaging',
      'src/config',
      'src/observability',
      'src/process',
      'src/network',
    ],
    packages: ['*'],
  },
};

/** Who may import a package that is some layer's whole business; programs may import everything. */
const OWNERS: readonly { readonly packages: readonly string[]; readonly layers: readonly string[] }[] = [
  { packages: DATABASE, layers: ['src/storage', 'src/local', 'migrations'] },
  { packages: [NATS], layers: ['src/messaging'] },
  { packages: GRAPHQL, layers: ['src/graphql', 'src/http'] },
];

/** Directly below src: the programs and what puts them together. No layer may import them. */
const isProgram = (path: string): boolean => /^src\/[^/]+\.ts$/.test(path);
const layerOf = (path: string): string | undefined =>
  Object.keys(LAYERS).find((folder) => path.startsWith(`${folder}/`));
const isLocal = (target: string): boolean => /^(src|worker|migrations)\//.test(target);
const matches = (name: string, starts: readonly string[]): boolean =>
  starts.some((start) =>
    /[/:]$/.test(start) ? name.startsWith(start) : name === start || name.startsWith(`${start}/`),
  );

function refusal(file: SourceFile, target: string): string | null {
  const layer = layerOf(file.path);
  if (layer === undefined) return isProgram(file.path) ? null : `${file.path} is in no layer`;
  const rule = LAYERS[layer] as Layer;
  if (isLocal(target)) {
    const other = layerOf(target);
    const allowed = other === layer || (other !== undefined && rule.folders.includes(other));
    return allowed ? null : `${file.path} imports ${target}`;
  }
  const owned = OWNERS.find((owner) => matches(target, owner.packages));
  const allowed = owned
    ? owned.layers.includes(layer)
    : rule.packages.includes('*') || matches(target, rule.packages);
  return allowed ? null : `${file.path} imports ${target}`;
}

const sources = await readSources('src', 'worker', 'migrations');
const everything = [...sources, ...(await readSources('test', 'bench', 'examples'))];

describe('the architecture', () => {
  it('lets a layer import only what its row of the table allows', () => {
    const refused = sources.flatMap((file) => file.imports.map((target) => refusal(file, target)));

    expect(refused.filter((line) => line !== null)).toEqual([]);
  });

  it('has every source file in a layer or among the programs', () => {
    const homeless = sources.filter((file) => layerOf(file.path) === undefined && !isProgram(file.path));

    expect(homeless.map((file) => file.path)).toEqual([]);
  });

  it('has no import cycle', () => {
    expect(findCycle(everything)).toBeNull();
  });

  it('imports files of this repository by their whole name', () => {
    const wrong = everything.flatMap((file) =>
      importsOf(file.text)
        .filter((specifier) => specifier.startsWith('.') && !/\.(m?ts|mjs|json)$/.test(specifier))
        .map((specifier) => `${file.path}: ${specifier}`),
    );

    expect(wrong).toEqual([]);
  });

  it('has no barrels, and no file whose name says nothing', () => {
    const vague = /^(index|utils?|helpers?|common|misc|shared|types|interfaces)\.ts$/;

    expect(everything.filter((file) => vague.test(basename(file.path))).map((file) => file.path)).toEqual([]);
  });

  it('exports by name, but where a tool asks for a default', () => {
    const toolsAsk = ['test/vitest.config.ts', 'test/support/global-setup.ts'];
    const defaults = everything.filter((file) => /^export default\b|\bas default\b/m.test(file.text));

    expect(defaults.map((file) => file.path).filter((path) => !toolsAsk.includes(path))).toEqual([]);
  });
});

describe('the import rules', () => {
  const file = (path: string): SourceFile => ({ path, text: '', imports: [] });

  it.each([
    { path: 'src/domain/job.ts', target: 'node:fs' },
    { path: 'src/domain/job.ts', target: 'src/contract/codec.ts' },
    { path: 'src/app/submit-job.ts', target: 'src/storage/job-store.ts' },
    { path: 'src/app/submit-job.ts', target: 'pg' },
    { path: 'src/graphql/schema.ts', target: 'src/messaging/streams.ts' },
    { path: 'src/storage/job-store.ts', target: '@nats-io/jetstream' },
    { path: 'worker/main.ts', target: 'src/app/application.ts' },
    { path: 'worker/main.ts', target: 'typeorm' },
    { path: 'src/leader/projector.ts', target: 'src/server.ts' },
  ])('refuse $target in $path', ({ path, target }) => {
    expect(refusal(file(path), target)).toBe(`${path} imports ${target}`);
  });

  it('see every form of import', () => {
    const text = `import a from 'a';\nimport {\n  b,\n} from "b";\nimport 'c';\nexport { d } from 'd';\nconst e = await import('e');\n`;

    expect([...importsOf(text)].sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});
