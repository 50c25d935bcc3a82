import { defineConfig } from 'vitest/config';

/** The harness's own tests: that a tool of the faults does what its name says. They start no cluster. */
export default defineConfig({ cacheDir: '.turbo/vitest', test: { include: ['**/*.test.ts'], testTimeout: 20_000 } });
