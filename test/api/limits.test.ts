import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JOB_ID } from '../support/builders.ts';
import { type Edge, post, startEdge } from '../support/edge.ts';

describe('the limits of an operation', () => {
  let edge: Edge;
  beforeAll(async () => {
    edge = await startEdge({
      limits: { executionTimeoutMs: 50 },
      api: { jobs: { findByExternalId: () => new Promise(() => {}) } },
    });
  });
  afterAll(() => edge.close());

  it.each([
    ['tokens', `{ ${'__typename '.repeat(1001)} }`, 1000],
    ['aliases', `{ ${Array.from({ length: 16 }, (_, i) => `a${i}: __typename`).join(' ')} }`, 15],
    ['directives', `{ __typename ${'@include(if: true) '.repeat(6)} }`, 5],
    [
      'cost',
      '{ jobs(first: 100) { nodes { transcript { segments(first: 500) { nodes { text } } } } } }',
      2000,
    ],
  ])('bounds its %s', async (what, query, limit) => {
    const { status, errors } = await post(edge, query);

    expect(status).toBe(400);
    expect(errors[0]?.extensions).toMatchObject({ code: 'QUERY_TOO_COMPLEX', what, limit });
    expect(errors[0]?.message).toContain(String(limit));
  });

  it('limits the depth, and allows what a page of jobs with transcripts needs', async () => {
    const segments = 'transcript { segments(first: 10) { nodes { words { text } } } }';
    const deeper = 'transcript { segments(first: 10) { edges { node { words { text } } } } }';
    const fine = await post(edge, `{ jobs { edges { node { ${segments} } } } }`);
    const deep = await post(
      edge,
      `mutation { submitJob(input: { audio: { url: "https://a.example" } }) {
        ... on SubmitJobPayload { query { jobs { edges { node { ${deeper} } } } } } } }`,
    );

    expect(fine.errors).toEqual([]);
    expect(deep.errors[0]?.extensions).toMatchObject({
      code: 'QUERY_TOO_COMPLEX',
      what: 'levels',
      limit: 10,
    });
  });

  it('reports the value found beside the limit', async () => {
    const { errors } = await post(
      edge,
      `{ ${Array.from({ length: 20 }, (_, i) => `a${i}: __typename`).join(' ')} }`,
    );

    expect(errors[0]?.extensions).toMatchObject({ limit: 15, found: 20 });
  });

  it('aborts an operation that takes too long', async () => {
    const { status, errors } = await post(edge, '{ jobByExternalId(externalId: "slow") { id } }');

    expect(status).toBe(504);
    expect(errors[0]?.extensions?.code).toBe('QUERY_TIMEOUT');
  });

  it('refuses a 1 MB query with a readable answer and keeps serving', async () => {
    const huge = await post(edge, `{ job(id: "${'x'.repeat(1024 * 1024)}") { id } }`);
    const after = await post(edge, `{ job(id: "${JOB_ID}") { id } }`);

    expect(huge.status).toBe(413);
    expect(huge.errors[0]?.extensions?.code).toBe('REQUEST_TOO_LARGE');
    expect(huge.errors[0]?.message).toContain('262144');
    expect(after.data).toEqual({ job: { id: JOB_ID } });
  });

  it('refuses a large body sent without a length', async () => {
    const chunk = new TextEncoder().encode('x'.repeat(64 * 1024));
    const body = new ReadableStream({
      start(controller) {
        for (let count = 0; count < 16; count++) controller.enqueue(chunk);
        controller.close();
      },
    });
    const response = await fetch(edge.graphqlUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      duplex: 'half',
    } as RequestInit);

    expect(response.status).toBe(413);
  });

  it('answers a request target that is not a URL', async () => {
    const { hostname, port } = new URL(edge.url);
    const socket = connect(Number(port), hostname);
    socket.end('GET //%zz[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');

    expect(await text(socket)).toMatch(/^HTTP\/1\.1 404/);
  });
});
