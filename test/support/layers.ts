/** One folder of the source: what it is, and what it may import besides itself. */
export interface Layer {
  readonly folder: string;
  readonly purpose: string;
  /** Other folders, lower in this list. */
  readonly folders: readonly string[];
  /** Packages by the start of their names; `*` is any, `node:` is Node's own modules. */
  readonly packages: readonly string[];
}

/**
 * The layers, from the top to the bottom: imports go down only. `test/architecture.test.ts` enforces this list, and
 * `docs/architecture.md` shows it.
 */
export const LAYERS: readonly Layer[] = [
  {
    folder: 'src/local',
    purpose: '`npm start`: Postgres, nats-server, the sample, the terminal',
    folders: ['src/storage', 'src/process', 'src/config', 'src/observability'],
    packages: ['*'],
  },
  {
    folder: 'src/http',
    purpose: 'the one port: GraphQL, websockets, uploads, exports, GraphiQL, health',
    folders: [
      'src/graphql',
      'src/app',
      'src/uploads',
      'src/auth',
      'src/process',
      'src/config',
      'src/observability',
      'src/domain',
    ],
    packages: ['*'],
  },
  {
    folder: 'src/graphql',
    purpose: 'Pothos types, one file per noun; errors; limits',
    folders: ['src/app', 'src/live', 'src/uploads', 'src/captions', 'src/process', 'src/domain'],
    packages: ['*'],
  },
  {
    folder: 'src/leader',
    purpose: 'the loops that one server runs for all: admission, projector, reconciler, sweeps',
    folders: [
      'src/app',
      'src/uploads',
      'src/storage',
      'src/messaging',
      'src/process',
      'src/contract',
      'src/observability',
      'src/domain',
    ],
    packages: ['*'],
  },
  {
    folder: 'src/app',
    purpose: 'use cases, one per file, bound to a principal',
    folders: [
      'src/live',
      'src/uploads',
      'src/auth',
      'src/storage',
      'src/messaging',
      'src/network',
      'src/captions',
      'src/process',
      'src/config',
      'src/contract',
      'src/observability',
      'src/domain',
    ],
    packages: ['zod', 'node:crypto'],
  },
  {
    folder: 'src/live',
    purpose: 'subscriptions: the hub, one channel per watched job, what workers announce',
    folders: [
      'src/storage',
      'src/messaging',
      'src/process',
      'src/contract',
      'src/observability',
      'src/domain',
    ],
    packages: ['*'],
  },
  {
    folder: 'src/uploads',
    purpose: 'uploads: use cases, table, the store of files',
    folders: ['src/auth', 'src/storage', 'src/config', 'src/domain'],
    packages: ['*'],
  },
  {
    folder: 'src/auth',
    purpose: 'principals and signed links',
    folders: ['src/captions', 'src/domain'],
    packages: ['*'],
  },
  {
    folder: 'src/storage',
    purpose: 'TypeORM and SQL; `tables.ts` has the tables on one page',
    folders: ['src/process', 'src/config', 'src/observability', 'src/domain', 'migrations'],
    packages: ['*'],
  },
  { folder: 'migrations', purpose: 'the schema of the database', folders: [], packages: ['typeorm'] },
  {
    folder: 'worker',
    purpose: 'the pull loop, one run as a straight line, engines, audio',
    folders: [
      'src/messaging',
      'src/network',
      'src/process',
      'src/config',
      'src/contract',
      'src/observability',
      'src/domain',
    ],
    packages: ['*'],
  },
  {
    folder: 'src/messaging',
    purpose: 'NATS: streams as data, the chain, tasks, control, live copies',
    folders: ['src/process', 'src/contract', 'src/observability', 'src/domain'],
    packages: ['*'],
  },
  {
    folder: 'src/network',
    purpose: 'which addresses recordings may come from',
    folders: [],
    packages: ['*'],
  },
  {
    folder: 'src/process',
    purpose: 'waiting, loops, children, locks, finding programs',
    folders: ['src/observability', 'src/domain'],
    packages: ['*'],
  },
  {
    folder: 'src/config',
    purpose: 'one typed configuration per program',
    folders: ['src/domain'],
    packages: ['*'],
  },
  {
    folder: 'src/contract',
    purpose: 'the wire: subjects, messages, codec',
    folders: ['src/domain'],
    packages: ['zod'],
  },
  {
    folder: 'src/captions',
    purpose: 'transcript formats and caption lines; pure',
    folders: ['src/domain'],
    packages: ['zod'],
  },
  { folder: 'src/observability', purpose: 'logs and metrics', folders: [], packages: ['*'] },
  {
    folder: 'src/domain',
    purpose: 'lifecycle, retry policy, fairness, inputs that layers share, read models, errors; pure',
    folders: [],
    packages: ['zod'],
  },
];

/** Who may import a package that is the whole business of some layers; programs may import everything. */
export const PACKAGE_OWNERS: readonly {
  readonly packages: readonly string[];
  readonly layers: readonly string[];
}[] = [
  { packages: ['typeorm', 'pg'], layers: ['src/storage', 'src/local', 'migrations'] },
  { packages: ['@nats-io/'], layers: ['src/messaging'] },
  { packages: ['node:child_process'], layers: ['src/process'] },
  { packages: ['execa'], layers: ['src/process', 'src/local'] },
  { packages: ['cockatiel'], layers: ['src/process', 'worker'] },
  {
    packages: ['graphql', '@pothos/', '@graphql-yoga/', '@escape.tech/'],
    layers: ['src/graphql', 'src/http'],
  },
];
