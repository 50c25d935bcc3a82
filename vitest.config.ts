import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Several packages are tested at once: each keeps its cache to itself.
  cacheDir: '.turbo/vitest',
  test: {
    include: ['src/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
  },
});
