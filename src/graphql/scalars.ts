import { GraphQLError, Kind, type ValueNode, valueFromASTUntyped } from 'graphql';
import { builder } from './builder.ts';

const MAX_JSON_BYTES = 4096;
const RFC_3339 =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;
/** RFC 5646, without grandfathered and private-use tags. */
const BCP_47 = /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/;

function refuse(what: string, value: unknown): never {
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : typeof value;
  throw new GraphQLError(`${what}, but got ${shown}.`, { extensions: { code: 'BAD_USER_INPUT' } });
}

export function parseDateTime(value: unknown): Date {
  const expected = 'A DateTime is an RFC 3339 timestamp such as "2026-01-31T09:30:00Z"';
  if (typeof value !== 'string' || !RFC_3339.test(value)) refuse(expected, value);
  const date = new Date(value);
  // `Date` accepts 31 February as 3 March.
  const dayOfMonth = Number(value.slice(8, 10));
  const lastDay = new Date(Date.UTC(Number(value.slice(0, 4)), Number(value.slice(5, 7)), 0)).getUTCDate();
  if (Number.isNaN(date.getTime()) || dayOfMonth > lastDay) refuse(expected, value);
  return date;
}

export function parseUrl(value: unknown): string {
  const expected = 'A URL is absolute, http or https, and at most 4096 characters long';
  if (typeof value !== 'string' || value.length > 4096 || !URL.canParse(value)) refuse(expected, value);
  if (!/^https?:$/.test(new URL(value).protocol)) refuse(expected, value);
  return value;
}

export function parseSafeInt(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    refuse('A SafeInt is an integer between -(2^53-1) and 2^53-1', value);
  }
  return value;
}

export function parseJsonObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuse('A JSONObject is a JSON object', value);
  }
  if (new TextEncoder().encode(JSON.stringify(value)).byteLength > MAX_JSON_BYTES) {
    refuse(`A JSONObject has at most ${MAX_JSON_BYTES} bytes when serialized`, value);
  }
  return value as Readonly<Record<string, unknown>>;
}

export function parseLanguageTag(value: unknown): string {
  const isTag = typeof value === 'string' && value.length <= 35 && BCP_47.test(value);
  if (!isTag) refuse('A LanguageTag is a BCP 47 tag such as "en" or "pt-BR"', value);
  return value;
}

/** Literals in a document are parsed like the values of variables. */
function fromLiteral<Value>(
  parse: (value: unknown) => Value,
): (node: ValueNode, variables?: Record<string, unknown> | null) => Value {
  return (node, variables) =>
    parse(
      node.kind === Kind.INT || node.kind === Kind.FLOAT
        ? Number(node.value)
        : valueFromASTUntyped(node, variables),
    );
}

builder.scalarType('DateTime', {
  description: 'RFC 3339 timestamp in UTC with millisecond precision.',
  specifiedByURL: 'https://scalars.graphql.org/andimarek/date-time.html',
  serialize: (value) => value.toISOString(),
  parseValue: parseDateTime,
  parseLiteral: fromLiteral(parseDateTime),
});
builder.scalarType('URL', {
  description: 'Absolute http(s) URL.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3986',
  serialize: (value) => value,
  parseValue: parseUrl,
  parseLiteral: fromLiteral(parseUrl),
});
builder.scalarType('SafeInt', {
  description: 'Integer between -(2^53-1) and 2^53-1, as a JSON number.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259#section-6',
  serialize: (value) => value,
  parseValue: parseSafeInt,
  parseLiteral: fromLiteral(parseSafeInt),
});
builder.scalarType('JSONObject', {
  description: 'JSON object of at most 4 KiB when serialized.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259#section-4',
  serialize: (value) => value,
  parseValue: parseJsonObject,
  parseLiteral: fromLiteral(parseJsonObject),
});
builder.scalarType('LanguageTag', {
  description: 'BCP 47 language tag, such as `en` or `pt-BR`.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc5646',
  serialize: (value) => value,
  parseValue: parseLanguageTag,
  parseLiteral: fromLiteral(parseLanguageTag),
});
