import { spawnSync } from 'node:child_process';

const reason =
  'openssl is missing: install it (apt-get install openssl) for the tests that hold our certificates against an independent reader';

/** False where the machine lacks openssl; those tests are skipped then, unless everything is required. */
export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl) {
  if (process.env['CI'] !== undefined || process.env['REQUIRE_ALL'] !== undefined) throw new Error(reason);
  console.warn(reason);
}
