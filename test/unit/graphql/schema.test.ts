import { readFile } from 'node:fs/promises';
import {
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isScalarType,
  isSpecifiedScalarType,
  validateSchema,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { schemaText } from '../../../src/graphql/print-schema.ts';
import { schema } from '../../../src/graphql/schema.ts';

interface Described {
  readonly name: string;
  readonly description?: string | null | undefined;
}

/** Everything of a type that a reader may ask about, by its full name. */
function partsOf(type: GraphQLNamedType): Described[] {
  const named = (prefix: string, parts: readonly Described[]) =>
    parts.map(({ name, description }) => ({ name: `${prefix}.${name}`, description }));
  if (isEnumType(type)) return [type, ...named(type.name, type.getValues())];
  if (isInputObjectType(type)) return [type, ...named(type.name, Object.values(type.getFields()))];
  if (isObjectType(type) || isInterfaceType(type)) {
    const fields = Object.values(type.getFields());
    const args = fields.flatMap((field) => named(`${type.name}.${field.name}`, field.args));
    return [type, ...named(type.name, fields), ...args];
  }
  return [type];
}

const types = Object.values(schema.getTypeMap()).filter(
  (type) => !type.name.startsWith('__') && !isSpecifiedScalarType(type),
);

describe('the schema', () => {
  it('is valid', () => {
    expect(validateSchema(schema)).toEqual([]);
  });

  it('is what schema.graphql says; run `npm run schema` when it is not', async () => {
    const committed = await readFile(new URL('../../../schema.graphql', import.meta.url), 'utf8');

    expect(schemaText()).toBe(committed);
  });

  it('describes every type, field, argument and value', () => {
    const silent = types.flatMap(partsOf).filter(({ description }) => (description ?? '').trim() === '');

    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('says where each of its scalars is specified', () => {
    const vague = types.filter((type) => isScalarType(type) && !type.specifiedByURL);

    expect(vague.map(({ name }) => name)).toEqual([]);
  });

  it('makes every error of a result union a UserError, and every result nullable', () => {
    const mutations = Object.values(schema.getMutationType()?.getFields() ?? {});
    const userError = schema.getType('UserError');
    const errors = types.filter((type) => isObjectType(type) && type.name.endsWith('Error'));

    expect(mutations.filter(({ type }) => String(type).endsWith('!'))).toEqual([]);
    expect(errors.length).toBeGreaterThan(5);
    for (const type of errors) {
      expect(isObjectType(type) && type.getInterfaces()).toContain(userError);
    }
  });
});
