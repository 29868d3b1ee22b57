import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const capturesOf = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, capture]) => capture ?? '');

describe('README.md', () => {
  it('lists every variable that the programs read', () => {
    const readme = read('README.md');
    const variables = capturesOf(read('src/config/config.ts'), /^ {2}([A-Z][A-Z_]+):/gm);

    expect(variables.length).toBeGreaterThan(30);
    expect(variables.filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  });
});

describe.each(documents)('%s', (document) => {
  const text = read(document);

  it('names only scripts that exist', () => {
    const named = [
      ...capturesOf(text, /npm run ([a-z][a-z:-]*)/g),
      ...capturesOf(text, /npm (start|test)\b/g),
    ];

    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });

  it('links only to files that exist', () => {
    const links = capturesOf(text, /\]\((?!http)([^)#]+)[)#]/g);

    expect(links.filter((path) => !existsSync(join(root, dirname(document), path)))).toEqual([]);
  });

  it('names only files of the sources that exist', () => {
    const paths = capturesOf(text, /`((?:src|worker|migrations|test|bench|scripts|docs)\/[\w./-]*)`/g);

    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

it('docs/reliability.md names test files that exist', () => {
  const rows = capturesOf(read('docs/reliability.md'), /^\|.+\|.+\|.+\| (`.+`) \|$/gm);
  const named = rows.flatMap((cell) => capturesOf(cell, /`([^`]+)`/g));

  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !existsSync(join(root, `test/integration/${name}.test.ts`)))).toEqual([]);
});
