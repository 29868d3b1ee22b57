import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FAILURE_KINDS } from '../src/domain/vocabulary.ts';
import { readSources } from './support/source-imports.ts';

const document = readFileSync(new URL('../docs/failures.md', import.meta.url), 'utf8');
const documented = new Set(
  document
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([A-Z_]+)`/g)].map((match) => match[1])),
);

/** The ways in which the sources write a failure's code. */
const CODE =
  /(?:\bcode: |\bDEADLINE_EXCEEDED = |\bfailure\(\s*|\b(?:make|permanent|transient)\(\s*'[A-Z_]+',\s*)'([A-Z][A-Z_]+)'/g;
const written = new Set(
  (await readSources('worker', 'src/domain', 'src/messaging'))
    .filter(({ path }) => path !== 'src/domain/errors.ts')
    .flatMap(({ text }) => [...text.matchAll(CODE)].map((match) => match[1])),
);

describe('docs/failures.md', () => {
  test('has every code that the sources use', () => {
    expect(written.size).toBeGreaterThan(40);
    expect([...written].filter((code) => !documented.has(code))).toEqual([]);
  });

  test('has no code that the sources lack', () => {
    // Written as a constant of its own.
    const others = new Set(['FETCH_BLOCKED_ADDRESS']);
    expect([...documented].filter((code) => !written.has(code) && !others.has(code ?? ''))).toEqual([]);
  });

  test.each(FAILURE_KINDS)('describes the kind %s', (kind) => {
    expect(document).toMatch(new RegExp(`^## .*\\b${kind}\\b`, 'm'));
  });
});
