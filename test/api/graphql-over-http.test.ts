import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UnavailableError, ValidationError } from '../../src/domain/errors.ts';
import { JobListQuery } from '../../src/domain/job-list.ts';
import { validate } from '../../src/domain/validate.ts';
import { JOB_ID } from '../support/builders.ts';
import { type Edge, post, startEdge } from '../support/edge.ts';
import { aJobView } from '../support/fake-application.ts';

const SUBMIT = `mutation Submit($input: SubmitJobInput!) {
  submitJob(input: $input) {
    __typename
    ... on SubmitJobPayload { replayed job { id status } query { job(id: "${JOB_ID}") { id } } }
    ... on UserError { code message path }
    ... on ValidationError { issues { path rule message } }
  }
}`;
const INPUT = { audio: { url: 'https://example.com/talk.mp3' } };

describe('the API over HTTP', () => {
  let edge: Edge;
  beforeAll(async () => {
    edge = await startEdge({
      api: {
        jobs: {
          findByExternalId: async (externalId) => {
            if (externalId === 'down')
              throw new UnavailableError('Postgres is away.', { retryAfterSeconds: 7 });
            if (externalId === 'bug') throw new Error('secret: table users has no column password');
            return aJobView({ externalId });
          },
          list: async (query) => {
            if (query.after === 'forged') {
              const issue = { path: ['after'], rule: 'cursor', message: '`after` is not a valid cursor.' };
              throw new ValidationError([issue]);
            }
            validate(JobListQuery, query, []);
            return { edges: [{ cursor: 'c', node: aJobView() }], hasNextPage: true, hasPreviousPage: false };
          },
        },
      },
    });
  });
  afterAll(() => edge.close());

  it('submits a job and returns it in the payload', async () => {
    const { status, data } = await post(edge, SUBMIT, { input: INPUT });

    expect(status).toBe(200);
    expect(data.submitJob).toEqual({
      __typename: 'SubmitJobPayload',
      replayed: false,
      job: { id: JOB_ID, status: 'QUEUED' },
      query: { job: { id: JOB_ID } },
    });
  });

  it('returns an expected failure as data', async () => {
    const other = await startEdge({
      api: {
        jobs: {
          submit: async () => {
            throw new ValidationError([
              { path: ['input', 'tags'], rule: 'max', message: '`tags` must have at most 10 items.' },
            ]);
          },
        },
      },
    });
    const { status, data } = await post(other, SUBMIT, { input: INPUT });
    await other.close();

    expect(status).toBe(200);
    expect(data.submitJob).toMatchObject({
      __typename: 'ValidationError',
      code: 'INVALID_INPUT',
      path: ['input', 'tags'],
      issues: [{ rule: 'max' }],
    });
  });

  it.each(['Job', 'unknown', 'que_whisper'])('answers null for an unknown node: %s', async (id) => {
    const { data, errors } = await post(edge, '{ node(id: "x") { id } nodes(ids: ["a", "b"]) { id } }', {
      id,
    });

    expect(errors).toEqual([]);
    expect(data).toEqual({ node: null, nodes: [null, null] });
  });

  it('finds a node by its id, with its type', async () => {
    const { data } = await post(edge, `{ node(id: "${JOB_ID}") { __typename id ... on Job { status } } }`);

    expect(data.node).toEqual({ __typename: 'Job', id: JOB_ID, status: 'QUEUED' });
  });

  it('masks an unexpected error and returns the request id, which is also in the header and the log', async () => {
    const { status, errors, headers } = await post(
      edge,
      '{ jobByExternalId(externalId: "bug") { id } }',
      {},
      { 'x-request-id': 'my-request-42' },
    );

    expect(status).toBe(500);
    expect(headers.get('x-request-id')).toBe('my-request-42');
    expect(errors).toHaveLength(1);
    expect(errors[0]?.extensions).toMatchObject({
      code: 'INTERNAL_SERVER_ERROR',
      requestId: 'my-request-42',
    });
    expect(JSON.stringify(errors)).not.toContain('secret');
    const line = edge.logs.find(({ requestId }) => requestId === 'my-request-42');
    expect(JSON.stringify(line)).toContain('table users has no column');
  });

  it('replaces a request id that must not go into a log', async () => {
    const { headers } = await post(edge, '{ __typename }', {}, { 'x-request-id': 'a b{}' });

    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('answers 503 with Retry-After while a dependency is down', async () => {
    const { status, errors, headers } = await post(edge, '{ jobByExternalId(externalId: "down") { id } }');

    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('7');
    expect(errors[0]?.extensions).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      retryable: true,
      retryAfterSeconds: 7,
    });
  });

  it('keeps the rest of an answer beside an error', async () => {
    const { status, data, errors } = await post(
      edge,
      `{ job(id: "${JOB_ID}") { id } jobByExternalId(externalId: "down") { id } }`,
    );

    expect(status).toBe(200);
    expect(data).toEqual({ job: { id: JOB_ID }, jobByExternalId: null });
    expect(errors).toHaveLength(1);
  });

  it.each([
    ['a missing field', { audio: INPUT.audio, timestamps: 'HOURLY' }, 'timestamps'],
    ['no source', { audio: {} }, 'audio'],
    ['two sources', { audio: { url: 'https://a.example', uploadId: 'upl_1' } }, 'audio'],
    ['a URL that is none', { audio: { url: 'talk.mp3' } }, 'url'],
    ['a language that is none', { ...INPUT, language: 'the Queen’s' }, 'language'],
    ['a time that is none', { ...INPUT, deadline: 'tomorrow' }, 'deadline'],
    ['metadata that is too large', { ...INPUT, metadata: { note: 'x'.repeat(5000) } }, 'metadata'],
    ['a number for a text', { ...INPUT, externalId: 7 }, 'externalId'],
  ])('refuses malformed variables by the name of the field: %s', async (_case, input, field) => {
    const { status, errors } = await post(edge, SUBMIT, { input });

    expect(status).toBe(400);
    expect(errors[0]?.extensions?.code).toBe('BAD_USER_INPUT');
    expect(errors[0]?.message).toContain(field);
  });

  it.each([
    ['first', 'first: 101'],
    ['first', 'first: 0'],
    ['last', 'last: 1000'],
  ])('refuses a page out of range and names the limit: %s', async (name, args) => {
    const { status, errors } = await post(edge, `{ jobs(${args}) { nodes { id } } }`);

    expect(status).toBe(400);
    expect(errors[0]?.extensions?.code).toBe('BAD_USER_INPUT');
    expect(errors[0]?.message).toMatch(new RegExp(`\`${name}\` must be 1 to 100`));
  });

  it('refuses a foreign cursor as bad input', async () => {
    const { status, errors } = await post(edge, '{ jobs(after: "forged") { nodes { id } } }');

    expect(status).toBe(400);
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', issues: [{ rule: 'cursor' }] });
  });

  it('answers syntax and validation errors with 400 and a location', async () => {
    const syntax = await post(edge, '{ jobs(');
    const validation = await post(edge, '{ jobs { nope } }');

    expect([syntax.status, validation.status]).toEqual([400, 400]);
    expect(validation.errors[0]?.message).toContain('nope');
    expect(syntax.errors[0]?.extensions?.code).toBe('GRAPHQL_PARSE_FAILED');
    expect(validation.errors[0]?.extensions?.code).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  it('allows the introspection query of GraphiQL', async () => {
    const query = getIntrospectionQuery({
      inputValueDeprecation: true,
      schemaDescription: true,
      oneOf: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
    });
    const { status, errors } = await post(edge, query);

    expect(errors).toEqual([]);
    expect(status).toBe(200);
  });

  it('refuses mutations by GET', async () => {
    const query = new URLSearchParams({ query: 'mutation { cancelJob(input: { id: "x" }) { __typename } }' });
    const response = await fetch(`${edge.graphqlUrl}?${query}`);

    expect(response.status).toBe(405);
  });

  it('refuses a body that an HTML form of any page could send', async () => {
    const response = await fetch(edge.graphqlUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ query: 'mutation { cancelJob(input: { id: "x" }) { __typename } }' }),
    });

    expect(response.status).toBe(415);
  });

  it('serves health, the schema, and 404 for an unknown path', async () => {
    const statuses = await Promise.all(
      ['/health/live', '/health/ready', '/schema.graphql', '/nothing'].map(
        async (path) => (await fetch(edge.url + path)).status,
      ),
    );

    expect(statuses).toEqual([200, 200, 200, 404]);
  });
});
