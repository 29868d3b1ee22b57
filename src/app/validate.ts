import type { z } from 'zod';
import { ValidationError } from '../domain/errors.ts';

/**
 * Checks a mutation's arguments.
 *
 * @param path Where the value stands among the arguments, such as `['input']`.
 * @throws ValidationError with an issue for each field that is wrong, naming the field and the limit.
 */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  path: readonly string[],
): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ValidationError(
    result.error.issues.map((issue) => {
      const field = issue.path.map(String);
      const subject = field.length === 0 ? 'The input' : `\`${field.join('.')}\``;
      return { path: [...path, ...field], rule: issue.code, message: `${subject} ${sentenceOf(issue)}` };
    }),
  );
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  const unit = 'origin' in issue ? UNITS[issue.origin] : undefined;
  switch (issue.code) {
    case 'too_big':
      return `must be at most ${issue.maximum}${unit ?? ''}.`;
    case 'too_small':
      return `must be at least ${issue.minimum}${unit ?? ''}.`;
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}.`;
    default:
      return `${/^(must|needs)/.test(issue.message) ? '' : 'is not valid: '}${issue.message}.`.replace(
        /\.\.$/,
        '.',
      );
  }
}

const UNITS: Readonly<Record<string, string>> = { string: ' characters long', array: ' items long' };
