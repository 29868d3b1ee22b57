import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ValidationError } from '../../../src/domain/errors.ts';
import {
  defaulted,
  IdempotencyKey,
  integer,
  optional,
  text,
  validate,
} from '../../../src/domain/validate.ts';

const Input = z.object({
  count: integer(1, 100),
  name: text(3, 5),
  note: z.string().max(4),
  tags: z.array(z.string()).min(1).max(2),
  color: z.enum(['RED', 'BLUE']),
  code: z.string().regex(/^a/, 'must begin with a'),
  when: z.date(),
  even: z.int().refine((value) => value % 2 === 0, { error: 'must be even', params: { rule: 'even' } }),
  odd: z.int().refine((value) => value % 2 === 1),
});
type Input = z.input<typeof Input>;
const VALID: Input = {
  ...{
    count: 1,
    name: 'abc',
    note: '',
    tags: ['x'],
    color: 'RED',
    code: 'a',
    when: new Date(0),
    even: 2,
    odd: 1,
  },
};

function issuesOf(change: object, path: readonly string[] = ['input']) {
  try {
    validate(Input, { ...VALID, ...change }, path);
    return [];
  } catch (error) {
    return (error as ValidationError).issues;
  }
}

describe('an input that breaks a rule', () => {
  it.each([
    [{ count: 101 }, 'max', '`count` must be 1 to 100.'],
    [{ count: 0 }, 'min', '`count` must be 1 to 100.'],
    [{ count: 1.5 }, 'type', '`count` must be 1 to 100.'],
    [{ name: 'ab' }, 'min', '`name` must have 3 to 5 characters.'],
    [{ name: 'abcdef' }, 'max', '`name` must have 3 to 5 characters.'],
    [{ note: '12345' }, 'max', '`note` must have at most 4 characters.'],
    [{ tags: [] }, 'min', '`tags` must have at least 1 item.'],
    [{ tags: ['a', 'b', 'c'] }, 'max', '`tags` must have at most 2 items.'],
    [{ color: 'GREEN' }, 'oneOf', '`color` must be one of RED, BLUE.'],
    [{ code: 'b' }, 'format', '`code` must begin with a.'],
    [{ when: 'now' }, 'type', '`when` must be of type date.'],
    [{ even: 1 }, 'even', '`even` must be even.'],
    [{ odd: 2 }, 'custom', '`odd` is not valid.'],
  ])('%j names the field, the rule and the limit', (change, rule, message) => {
    const [field] = Object.keys(change);

    expect(issuesOf(change)).toEqual([{ path: ['input', field], rule, message }]);
  });

  it('gets an issue for each rule, with the place within lists', () => {
    expect(issuesOf({ count: 0, tags: [7] })).toMatchObject([
      { path: ['input', 'count'], rule: 'min' },
      { path: ['input', 'tags', '0'], rule: 'type', message: '`tags.0` must be of type string.' },
    ]);
  });

  it('is named by its argument when it is no object', () => {
    expect(() => validate(z.array(z.string()).max(1), ['a', 'b'], ['ids'])).toThrow(
      '`ids` must have at most 1 item.',
    );
    expect(() => validate(z.string(), 7 as never, [])).toThrow(ValidationError);
  });
});

describe('fields that may be left out', () => {
  const Optional = z.object({
    a: optional(text(1, 2)),
    b: defaulted(integer(1, 3), 2),
    key: optional(IdempotencyKey),
  });

  it.each([[{}], [{ a: null, b: null, key: null }]])('are null or their default for %j', (input) => {
    expect(validate(Optional, input, [])).toEqual({ a: null, b: 2, key: null });
  });

  it('are checked when they are there', () => {
    expect(validate(Optional, { a: 'x', b: 3, key: '12345678' }, [])).toEqual({
      a: 'x',
      b: 3,
      key: '12345678',
    });
    expect(() => validate(Optional, { key: 'short' }, [])).toThrow('`key` must have 8 to 128 characters.');
    expect(() => validate(Optional, { b: 4 }, [])).toThrow(ValidationError);
  });
});
