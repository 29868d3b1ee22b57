import { ValidationError } from '../domain/errors.ts';
import type { PageRequest } from '../domain/job-list.ts';

export const MAX_PAGE = 100;
export const DEFAULT_PAGE = 20;

/** @throws ValidationError that names the argument and its limits; nothing is clamped. */
export function checkRange(path: readonly string[], value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  const name = path.at(-1) ?? 'value';
  throw new ValidationError([
    {
      path,
      rule: value < min ? 'min' : 'max',
      message: `\`${name}\` must be ${min} to ${max}, not ${value}.`,
    },
  ]);
}

export interface PageArguments {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

/** `last` takes the place of `first`, whose default would be there even when nobody wrote it. */
export function pageRequestOf(args: PageArguments, maxFirst = MAX_PAGE): PageRequest {
  const cursors = { after: args.after ?? null, before: args.before ?? null };
  if (args.last !== null && args.last !== undefined) {
    return { ...cursors, last: checkRange(['last'], args.last, 1, maxFirst) };
  }
  return { ...cursors, first: checkRange(['first'], args.first ?? DEFAULT_PAGE, 1, maxFirst) };
}
