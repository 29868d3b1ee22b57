import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import type { GraphQLContext } from './context.ts';
import { COMPLEXITY_LIMIT, costOfField, tooComplex } from './limits.ts';

interface Scalar<Value> {
  Input: Value;
  Output: Value;
}

export interface ServiceTypes {
  Context: GraphQLContext;
  DefaultFieldNullability: false;
  Scalars: {
    ID: Scalar<string>;
    DateTime: Scalar<Date>;
    URL: Scalar<string>;
    SafeInt: Scalar<number>;
    JSONObject: Scalar<Readonly<Record<string, unknown>>>;
    LanguageTag: Scalar<string>;
  };
}

export const builder = new SchemaBuilder<ServiceTypes>({
  plugins: [ErrorsPlugin, ComplexityPlugin, RelayPlugin],
  defaultFieldNullability: false,
  errors: { directResult: true },
  complexity: {
    limit: { complexity: COMPLEXITY_LIMIT },
    fieldComplexity: (_args, _context, field) => costOfField(field.type),
    complexityError: (_kind, { complexity }) => tooComplex('cost', COMPLEXITY_LIMIT, complexity),
  },
  relay: {
    cursorType: 'String',
    encodeGlobalID: (_typename, id) => String(id),
    // Nodes are looked up in types/node.ts by the prefix of their id.
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodeTypeOptions: { description: 'An object that `node` finds by its id.' },
    idFieldOptions: { description: 'The same text in every place: API, URLs, logs.' },
    pageInfoTypeOptions: { description: 'Where a page lies in its list.' },
    hasNextPageFieldOptions: { description: 'Whether more follows `endCursor`.' },
    hasPreviousPageFieldOptions: { description: 'Whether more precedes `startCursor`.' },
    startCursorFieldOptions: { description: 'Cursor of the first item; null on an empty page.' },
    endCursorFieldOptions: { description: 'Cursor of the last item; null on an empty page.' },
  },
});

export const QueryRef = builder.queryType({ description: 'Everything that can be read.' });
builder.mutationType({
  description:
    'Everything that can be changed. Expected failures come back as members of the result union, all of ' +
    'them `UserError`; others as top-level errors.',
});
builder.subscriptionType({
  description: 'What can be watched, over graphql-transport-ws or server-sent events on the same path.',
});
