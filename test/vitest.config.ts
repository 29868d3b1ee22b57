import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { TallyReporter } from './support/tally-reporter.ts';

/** What holds the repository against itself: static checks, import rules, documents. */
const repository: TestProjectConfiguration = {
  extends: true,
  test: { name: 'repository', include: ['test/*.test.ts'] },
};
const unit: TestProjectConfiguration = {
  extends: true,
  test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 10_000 },
};
const integration: TestProjectConfiguration = {
  extends: true,
  test: {
    name: 'integration',
    include: ['test/*/**/*.test.ts'],
    exclude: ['test/unit/**'],
    globalSetup: ['test/support/global-setup.ts'],
  },
};
/** Stryker can't choose a project. */
const isMutationRun = process.env.STRYKER_MUTATOR_WORKER !== undefined;

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  // graphql has no exports map: without this a test gets another copy than the packages it tests.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    pool: 'forks',
    reporters: ['default', new TallyReporter()],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    projects: isMutationRun ? [unit] : [repository, unit, integration],
  },
});
