import { z } from 'zod';
import { ValidationError, type ValidationIssue } from './errors.ts';

/**
 * Checks the input of a use case.
 *
 * @param path Where the value is among the caller's arguments, such as `['input']`.
 * @throws ValidationError with an issue for each rule that is broken, which names the field and the limit.
 */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  value: z.input<Schema>,
  path: readonly string[],
): z.output<Schema> {
  const result = schema.safeParse(value, { error: describe });
  if (result.success) return result.data;
  throw new ValidationError(result.error.issues.map((issue) => toIssue(issue, path)));
}

/** Names of rules as clients see them. A `refine` names its own: `{ params: { rule: 'unique' } }`. */
const RULES: Readonly<Partial<Record<z.core.$ZodIssue['code'], string>>> = {
  too_big: 'max',
  too_small: 'min',
  invalid_format: 'format',
  invalid_type: 'type',
  invalid_value: 'oneOf',
};

function toIssue(issue: z.core.$ZodIssue, path: readonly string[]): ValidationIssue {
  const field = issue.path.map(String);
  const subject = field.length === 0 ? (path.at(-1) ?? 'input') : field.join('.');
  const ownRule: unknown = issue.code === 'custom' ? issue.params?.rule : undefined;
  return {
    path: [...path, ...field],
    rule: typeof ownRule === 'string' ? ownRule : (RULES[issue.code] ?? issue.code),
    message: `\`${subject}\` ${issue.message}.`,
  };
}

const UNITS: Readonly<Record<string, string>> = { string: 'character', array: 'item' };

/** The end of a sentence about a field, for rules whose schema does not say it itself. */
function describe(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'too_big':
      return limit('most', issue.maximum, issue.origin);
    case 'too_small':
      return limit('least', issue.minimum, issue.origin);
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_type':
      return `must be of type ${issue.expected}`;
    default:
      return 'is not valid';
  }
}

function limit(which: 'most' | 'least', value: unknown, origin: string): string {
  const unit = UNITS[origin];
  if (unit === undefined) return `must be at ${which} ${value}`;
  return `must have at ${which} ${value} ${unit}${value === 1 ? '' : 's'}`;
}

/** A whole number within bounds. */
export function integer(min: number, max: number) {
  const error = `must be ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** A text whose length is within bounds. */
export function text(minChars: number, maxChars: number) {
  const error = `must have ${minChars} to ${maxChars} characters`;
  return z.string().min(minChars, { error }).max(maxChars, { error });
}

/** A field that may be null or left out; null in the output. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().transform((value) => value ?? null);
}

/** A field that takes its default when it is null or left out, as in GraphQL. */
export function defaulted<Schema extends z.ZodType>(schema: Schema, value: z.output<Schema>) {
  return schema.nullish().transform((given) => given ?? value);
}

/** The same key with the same input has its effect once. */
export const IdempotencyKey = text(8, 128);
