/** Everything that the API can be asked about jobs: each question with variables that change from call to call. */
export interface Question {
  readonly name: string;
  readonly query: string;
  readonly variables: (known: Known) => object;
}

/** What is in the database, for questions that must hit. */
export interface Known {
  readonly ids: readonly string[];
  readonly queuedIds: readonly string[];
  readonly transcribedIds: readonly string[];
  readonly workers: readonly string[];
  readonly rareWorker: string;
  /** Of all jobs in the order of their submission, from the middle. */
  readonly deepCursors: readonly string[];
}

const ROW = `id status revision submittedAt startedAt finishedAt externalId tags priority queue
  progress { fraction segmentCount } failure { kind code } audio { filename durationSeconds }`;
const LIST = `query List($filter: JobFilter, $orderBy: JobOrder, $first: Int = 20, $last: Int, $after: String) {
  jobs(filter: $filter, orderBy: $orderBy, first: $first, last: $last, after: $after) {
    nodes { ${ROW} } pageInfo { hasNextPage endCursor } } }`;
const COUNT = 'query Count($filter: JobFilter) { jobs(filter: $filter, first: 1) { totalCount } }';
const COUNT_BY_STATUS =
  'query Count($filter: JobFilter) { jobs(filter: $filter, first: 1) { countByStatus { status count } } }';

const pick = <Value>(values: readonly Value[]): Value => {
  const value = values[Math.floor(Math.random() * values.length)];
  if (value === undefined) throw new Error('there is nothing to pick from');
  return value;
};
const below = (limit: number): number => Math.floor(Math.random() * limit);
const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();

/** A primary key: what every other time is compared with. */
export const REFERENCE: Question = {
  name: 'job by id (the reference)',
  query: `query Job($id: ID!) { job(id: $id) { ${ROW} } }`,
  variables: ({ ids }) => ({ id: pick(ids) }),
};

type Filter = (known: Known) => object;

/** By what they select; each is asked for as a page, as a count and as counts by status. */
const FILTERS: Readonly<Record<string, Filter>> = {
  'status COMPLETED': () => ({ status: ['COMPLETED'] }),
  'status FAILED': () => ({ status: ['FAILED'] }),
  'status QUEUED': () => ({ status: ['QUEUED'] }),
  'status PROCESSING': () => ({ status: ['PROCESSING'] }),
  'status RETRYING': () => ({ status: ['RETRYING'] }),
  'status SCHEDULED': () => ({ status: ['SCHEDULED'] }),
  'status CANCELED': () => ({ status: ['CANCELED'] }),
  'two statuses': () => ({ status: ['FAILED', 'CANCELED'] }),
  'statuses that are not over': () => ({ status: ['QUEUED', 'PROCESSING', 'RETRYING', 'SCHEDULED'] }),
  'priority NORMAL': () => ({ priority: ['NORMAL'] }),
  'priority CRITICAL': () => ({ priority: ['CRITICAL'] }),
  'two priorities': () => ({ priority: ['HIGH', 'CRITICAL'] }),
  'queue deepgram': () => ({ queue: ['deepgram'] }),
  'engine DEEPGRAM': () => ({ engine: ['DEEPGRAM'] }),
  'model, common': () => ({ model: ['base.en'] }),
  'model, rare': () => ({ model: ['medium.en'] }),
  'model, none': () => ({ model: ['no-such-model'] }),
  'two models': () => ({ model: ['large-v3', 'medium.en'] }),
  'language, common': () => ({ language: ['en'] }),
  'language, rare': () => ({ language: ['cy'] }),
  'language, none': () => ({ language: ['tlh'] }),
  'two languages': () => ({ language: ['ja', 'cy'] }),
  'tag, common': () => ({ tags: ['team-0'] }),
  'tag, rare': () => ({ tags: [`batch-${below(20_000)}`] }),
  'tag, none': () => ({ tags: ['no-such-tag'] }),
  'three tags': () => ({ tags: [1, 2, 3].map(() => `team-${below(400)}`) }),
  'failure, common': () => ({ failureKind: ['FETCH'] }),
  'failure, rare': () => ({ failureKind: ['UNSUPPORTED'] }),
  'failure, none': () => ({ failureKind: ['RATE_LIMITED'] }),
  'two failures': () => ({ failureKind: ['OUT_OF_MEMORY', 'UNSUPPORTED'] }),
  'dead letters': () => ({ deadLettered: true }),
  'no dead letters': () => ({ deadLettered: false }),
  'worker, busy': ({ workers }) => ({ workerId: pick(workers) }),
  'worker, rare': ({ rareWorker }) => ({ workerId: rareWorker }),
  'worker, none': () => ({ workerId: 'wrk_00000000000000000000000000000000' }),
  'external id': () => ({ externalId: [`order-${below(100_000) * 2}`] }),
  'external id, none': () => ({ externalId: ['no-such-order'] }),
  'five external ids': () => ({ externalId: [1, 2, 3, 4, 5].map(() => `order-${below(100_000) * 2}`) }),
  'submitted within an hour': () => ({ submittedAt: { gte: daysAgo(15), lt: daysAgo(15 - 1 / 24) } }),
  'submitted within ten days': () => ({ submittedAt: { gte: daysAgo(20), lt: daysAgo(10) } }),
  'finished within an hour': () => ({ finishedAt: { gte: daysAgo(15), lt: daysAgo(15 - 1 / 24) } }),
  'finished within ten days': () => ({ finishedAt: { gte: daysAgo(20), lt: daysAgo(10) } }),
  'search: beginning of an id': ({ ids }) => ({ search: pick(ids).slice(0, 16) }),
  'search: an id': ({ ids }) => ({ search: pick(ids) }),
  'search: external id': () => ({ search: `order-${below(100_000) * 2}` }),
  'search: common beginning of external ids': () => ({ search: 'order-1' }),
  'search: file name, common': () => ({ search: 'interview' }),
  'search: file name, rare': () => ({ search: 'ZEPPELIN' }),
  'search: tag, common': () => ({ search: 'team-1' }),
  'search: tag, rare': () => ({ search: `batch-${below(20_000)}` }),
  'search: none': () => ({ search: 'no such thing' }),
  'CRITICAL and FAILED': () => ({ priority: ['CRITICAL'], status: ['FAILED'] }),
  'LOW and QUEUED': () => ({ priority: ['LOW'], status: ['QUEUED'] }),
  'FAILED in a rare language': () => ({ status: ['FAILED'], language: ['cy'] }),
  'FAILED with a tag': () => ({ status: ['FAILED'], tags: [`team-${below(400)}`] }),
  'FAILED of a worker': ({ workers }) => ({ status: ['FAILED'], workerId: pick(workers) }),
  'FAILED and a search': () => ({ status: ['FAILED'], search: 'lecture' }),
  'model and language': () => ({ model: ['large-v3'], language: ['ja'] }),
  'tag and language and model': () => ({ tags: ['team-5'], language: ['de'], model: ['small'] }),
  'tag and submitted within a day': () => ({
    tags: ['team-5'],
    submittedAt: { gte: daysAgo(8), lt: daysAgo(7) },
  }),
  'status and finished within a day': () => ({
    status: ['FAILED'],
    finishedAt: { gte: daysAgo(8), lt: daysAgo(7) },
  }),
  'engine and priority and status': () => ({
    engine: ['DEEPGRAM'],
    priority: ['HIGH'],
    status: ['COMPLETED'],
  }),
  'everything at once': ({ workers }) => ({
    ...{ status: ['FAILED'], priority: ['NORMAL'], engine: ['WHISPER'], model: ['small'], language: ['en'] },
    ...{ failureKind: ['FETCH'], workerId: pick(workers), submittedAt: { gte: daysAgo(29) } },
  }),
};

const pages: Question[] = Object.entries(FILTERS).map(([name, filter]) => ({
  name: `page: ${name}`,
  query: LIST,
  variables: (known) => ({ filter: filter(known) }),
}));
const counts: Question[] = Object.entries(FILTERS).map(([name, filter]) => ({
  name: `count: ${name}`,
  query: COUNT,
  variables: (known) => ({ filter: filter(known) }),
}));
const countsByStatus: Question[] = Object.entries(FILTERS).map(([name, filter]) => ({
  name: `count by status: ${name}`,
  query: COUNT_BY_STATUS,
  variables: (known) => ({ filter: filter(known) }),
}));

const orders: Question[] = ['SUBMITTED_AT', 'STARTED_AT', 'FINISHED_AT', 'AUDIO_DURATION'].flatMap((field) =>
  ['ASC', 'DESC'].flatMap((direction) => [
    {
      name: `page by ${field} ${direction}`,
      query: LIST,
      variables: () => ({ orderBy: { field, direction } }),
    },
    {
      name: `last page by ${field} ${direction}`,
      query: LIST,
      variables: () => ({ orderBy: { field, direction }, first: null, last: 20 }),
    },
    {
      name: `page of FAILED by ${field} ${direction}`,
      query: LIST,
      variables: () => ({ filter: { status: ['FAILED'] }, orderBy: { field, direction } }),
    },
  ]),
);

const others: Question[] = [
  { name: 'page of 100', query: LIST, variables: () => ({ first: 100 }) },
  {
    name: 'page from the middle',
    query: LIST,
    variables: ({ deepCursors }) => ({ after: pick(deepCursors) }),
  },
  {
    name: 'page of 100 with attempts',
    query:
      'query ($after: String) { jobs(first: 100, after: $after) { nodes { id attempts { number outcome } } } }',
    variables: ({ deepCursors }) => ({ after: pick(deepCursors) }),
  },
  {
    name: 'queue positions of the 100 newest waiting',
    query: '{ jobs(first: 100, filter: { status: [QUEUED] }) { nodes { queuePosition estimatedStartAt } } }',
    variables: () => ({}),
  },
  {
    name: 'queue positions of the 100 oldest waiting',
    query:
      '{ jobs(first: 100, filter: { status: [QUEUED] }, orderBy: { field: SUBMITTED_AT, direction: ASC }) { nodes { queuePosition } } }',
    variables: () => ({}),
  },
  {
    name: 'queue position of one',
    query: 'query ($id: ID!) { job(id: $id) { queuePosition estimatedStartAt } }',
    variables: ({ queuedIds }) => ({ id: pick(queuedIds) }),
  },
  {
    name: 'job by external id',
    query: `query ($externalId: String!) { jobByExternalId(externalId: $externalId) { ${ROW} } }`,
    variables: () => ({ externalId: `order-${below(100_000) * 2}` }),
  },
  {
    name: '100 nodes by id',
    query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Job { id status } } }',
    variables: ({ ids }) => ({ ids: Array.from({ length: 100 }, () => pick(ids)) }),
  },
  {
    name: 'job with its transcript',
    query: `query ($id: ID!) { job(id: $id) { ${ROW} transcript { text segments { nodes { index text } } } } }`,
    variables: ({ transcribedIds }) => ({ id: pick(transcribedIds) }),
  },
  { name: 'list of dead letters', query: `{ deadLetters { nodes { ${ROW} } } }`, variables: () => ({}) },
  {
    name: 'list of dead letters of one kind',
    query: `{ deadLetters(filter: { failureKind: [OUT_OF_MEMORY] }) { nodes { ${ROW} } } }`,
    variables: () => ({}),
  },
  {
    name: 'failure groups',
    query: '{ failureGroups { fingerprint count sampleJobIds } }',
    variables: () => ({}),
  },
  {
    name: 'failure groups of a day',
    query:
      'query ($from: DateTime!) { failureGroups(filter: { submittedAt: { gte: $from } }) { fingerprint count } }',
    variables: () => ({ from: daysAgo(1) }),
  },
  ...['LAST_MINUTE', 'LAST_5_MINUTES', 'LAST_HOUR', 'LAST_DAY'].map((window) => ({
    name: `queue statistics, ${window}`,
    query: `{ queueStats(window: ${window}) { queued processing completed waitMsP95 runMsP95 } }`,
    variables: () => ({}),
  })),
  {
    name: 'queues with their statistics',
    query: '{ queues { name stats { queued processing failureRate oldestQueuedAt } } }',
    variables: () => ({}),
  },
  { name: 'models', query: '{ models { name engine languages } }', variables: () => ({}) },
];

export const QUESTIONS: readonly Question[] = [
  ...[{ name: 'first page', query: LIST, variables: () => ({}) }, ...orders, ...pages],
  { name: 'count of everything', query: COUNT, variables: () => ({}) },
  ...counts,
  { name: 'count by status of everything', query: COUNT_BY_STATUS, variables: () => ({}) },
  ...[...countsByStatus, ...others],
];

/** What the questions must know, from the database itself. */
export const KNOWN_STATEMENTS = {
  ids: `SELECT id FROM jobs TABLESAMPLE BERNOULLI (0.5) WHERE tenant_id = 'ten_default' LIMIT 2000`,
  queuedIds: `SELECT id FROM jobs WHERE tenant_id = 'ten_default' AND status = 'QUEUED' LIMIT 500`,
  transcribedIds: `SELECT DISTINCT job_id AS id FROM segments JOIN jobs ON jobs.id = job_id
    WHERE tenant_id = 'ten_default' LIMIT 500`,
  workers: `SELECT worker_id AS id FROM jobs WHERE worker_id IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC LIMIT 10`,
  rareWorker: `SELECT worker_id AS id FROM jobs WHERE worker_id IS NOT NULL GROUP BY 1 ORDER BY count(*) LIMIT 1`,
} as const;

/** A page of one that begins at that time; its cursor is one of all jobs too. */
export const DEEP_CURSOR = `query ($before: DateTime!) {
  jobs(first: 1, filter: { submittedAt: { lt: $before } }) { edges { cursor } } }`;
