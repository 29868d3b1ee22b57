import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { TallyReporter } from './support/tally-reporter.ts';

/** Stryker cannot choose a project. */
const isMutationRun = process.env.STRYKER_MUTATOR_WORKER !== undefined;

/** Rules about the repository itself: static checks, imports, documents. */
const repository: TestProjectConfiguration = {
  extends: true,
  test: { name: 'repository', include: ['test/*.test.ts'] },
};
const unit: TestProjectConfiguration = {
  extends: true,
  // Instrumented code is slower.
  test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: isMutationRun ? 60_000 : 10_000 },
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
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  // graphql has no exports map: without this, tests and the packages under test load two copies.
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
