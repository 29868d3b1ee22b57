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
    nodeTypeOptions: { description: 'An object with a globally unique id.' },
    idFieldOptions: { description: 'Globally unique id; the same in the API, URLs and logs.' },
    pageInfoTypeOptions: { description: 'Position of a page in its list.' },
    hasNextPageFieldOptions: { description: 'Whether there are items after `endCursor`.' },
    hasPreviousPageFieldOptions: { description: 'Whether there are items before `startCursor`.' },
    startCursorFieldOptions: { description: 'Cursor of the first item; null when the page is empty.' },
    endCursorFieldOptions: { description: 'Cursor of the last item; null when the page is empty.' },
  },
});

export const QueryRef = builder.queryType({ description: 'Queries.' });
builder.mutationType({
  description:
    'Mutations. Expected errors are members of the result union and implement `UserError`; all others are ' +
    'top-level errors.',
});
builder.subscriptionType({
  description: 'Subscriptions, over graphql-transport-ws or server-sent events on the same path.',
});
