import { defineConfig } from 'vitest/config';

export default defineConfig({ cacheDir: '.turbo/vitest', test: { include: ['*.test.ts'] } });
