import { defineConfig } from 'vitest/config';

export default defineConfig({
  cacheDir: '.turbo/vitest',
  test: {
    include: ['[0-9]*/**/*.test.ts'],
    globalSetup: ['harness/build-commands.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // A story is told in order; the first step that fails makes the rest of it noise.
    bail: 0,
    sequence: { concurrent: false },
  },
});
