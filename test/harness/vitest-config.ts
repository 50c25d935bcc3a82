import { join } from 'node:path';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

/**
 * How black-box tests run: against processes as they are built now, one file at a time. A case that takes over a minute stands in a
 * file *.long.test.ts, which `npm run test:long` runs and `npm test` does not.
 */
export function blackBox(): ViteUserConfig {
  const long = process.env['POSTERN_TESTS'] === 'long';
  return defineConfig({
    cacheDir: '.turbo/vitest',
    test: {
      include: [long ? '**/*.long.test.ts' : '**/*.test.ts'],
      exclude: long ? ['node_modules'] : ['node_modules', '**/*.long.test.ts'],
      passWithNoTests: long,
      globalSetup: [join(import.meta.dirname, 'build-commands.ts')],
      pool: 'forks',
      maxWorkers: 1,
      testTimeout: long ? 900_000 : 90_000,
      hookTimeout: 120_000,
      // A story is told in order; the first step that fails makes the rest of it noise.
      bail: 0,
      sequence: { concurrent: false },
    },
  });
}
