import { join } from 'node:path';
import { must } from '#processes.ts';

/** A story is told with the commands as they are now, not as they were when somebody last built them. */
export async function setup(): Promise<void> {
  await must([process.execPath, join(import.meta.dirname, '..', '..', 'scripts', 'build.mjs')], {
    env: process.env,
    timeoutMs: 120_000,
  });
}
