// npm test: the check, then the stories of test/e2e with real processes and real clients.
import { runSteps } from './run-steps.mjs';

const ok = await runSteps([
  { name: 'check', command: ['node', 'scripts/check.mjs'], show: true },
  { name: 'stories', command: ['vitest', 'run'], cwd: 'test/e2e', show: true },
]);
process.exit(ok ? 0 : 1);
