import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesPlugin } from '@escape.tech/graphql-armor-max-directives';
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens';
import { GraphQLError, type GraphQLOutputType, getNamedType, isLeafType } from 'graphql';
import type { Plugin } from 'graphql-yoga';

/** Number of objects to read, multiplied by the sizes of lists; leaf fields are free. */
export const COMPLEXITY_LIMIT = 2000;
/** GraphiQL's introspection query, the longest document that must be accepted, has about 400 tokens. */
const MAX_TOKENS = 1000;
const MAX_DEPTH = 10;
const MAX_ALIASES = 15;
const MAX_DIRECTIVES = 5;

/** Lists without a page argument are short: attempts, speakers, words of a segment. */
const SHORT_LIST = 5;

/** A leaf costs nothing, an object 1; pages set their own multiplier with `costOfPage`. */
export function costOfField(type: GraphQLOutputType): { field: number; multiplier: number } {
  if (isLeafType(getNamedType(type))) return { field: 0, multiplier: 1 };
  return { field: 1, multiplier: String(type).startsWith('[') ? SHORT_LIST : 1 };
}

/** Sizes out of range cost as much as the largest page; validation refuses them with a better message. */
export function costOfPage(size: number, max: number): { field: number; multiplier: number } {
  return { field: 1, multiplier: Math.min(Math.max(size, 1), max) };
}

/** Items of a page, whose number is part of the cost of the page. */
export const COUNTED_BY_PAGE = { field: 1, multiplier: 1 };

export function tooComplex(what: string, limit: number, found: number | null): GraphQLError {
  const size = found === null ? 'more' : String(found);
  return new GraphQLError(
    `The operation is too complex: the limit of ${what} is ${limit}, found ${size}. ` +
      'Request smaller pages or fewer fields, or split the operation.',
    { extensions: { code: 'QUERY_TOO_COMPLEX', what, limit, found } },
  );
}

/** Armor reports the count only in its message. */
function rejection(what: string, limit: number): (context: unknown, error: GraphQLError) => never {
  return (_context, error) => {
    const found = /found (\d+)/.exec(error.message)?.[1];
    throw tooComplex(what, limit, found === undefined ? null : Number(found));
  };
}

/** Limits of a document, checked before execution. */
export function documentLimits(): Plugin[] {
  return [
    maxTokensPlugin({ n: MAX_TOKENS, onReject: [rejection('tokens', MAX_TOKENS)] }),
    maxDepthPlugin({ n: MAX_DEPTH, flattenFragments: true, onReject: [rejection('levels', MAX_DEPTH)] }),
    maxAliasesPlugin({ n: MAX_ALIASES, allowList: [], onReject: [rejection('aliases', MAX_ALIASES)] }),
    maxDirectivesPlugin({ n: MAX_DIRECTIVES, onReject: [rejection('directives', MAX_DIRECTIVES)] }),
  ];
}
