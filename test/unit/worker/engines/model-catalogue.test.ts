import { expect, test } from 'vitest';
import {
  CATALOGUE,
  findInCatalogue,
  languagesOf,
  modelFileName,
  modelNameOf,
} from '../../../../worker/models/catalogue.ts';

test('every model is listed once, with a checksum of the right length', () => {
  expect(new Set(CATALOGUE.map(({ name }) => name)).size).toBe(CATALOGUE.length);
  expect(new Set(CATALOGUE.map(({ checksum }) => checksum.value)).size).toBe(CATALOGUE.length);
  for (const { checksum } of CATALOGUE) {
    expect(checksum.value).toMatch(checksum.algorithm === 'sha1' ? /^[0-9a-f]{40}$/ : /^[0-9a-f]{64}$/);
  }
});

test('a model is found by its name, and its file by the model', () => {
  expect(findInCatalogue('base.en')?.size).toBe('142 MiB');
  expect(findInCatalogue('base.fr')).toBeNull();
  expect(modelNameOf(modelFileName('large-v3-turbo-q5_0'))).toBe('large-v3-turbo-q5_0');
  expect(modelNameOf('README.md')).toBeNull();
});

test('names with .en know English only', () => {
  expect(languagesOf('small.en-q5_1')).toEqual(['en']);
  expect(languagesOf('demo-76.en')).toEqual(['en']);
  expect(languagesOf('small')).toEqual([]);
});
