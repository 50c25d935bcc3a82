// npm test: the check, then everything that is tried against running processes with real clients.
// npm run test:long (`--long`): what takes over a minute a case, in the same folders.
import { runSteps } from './run-steps.mjs';

const long = process.argv.includes('--long');
if (long) process.env.POSTERN_TESTS = 'long';
const blackBox = [
  { name: 'stories', cwd: 'test/e2e' },
  { name: 'attacks', cwd: 'test/attacks' },
  { name: 'faults', cwd: 'test/faults' },
].map((step) => ({ ...step, command: ['vitest', 'run'], show: true }));

/** The same files that the check runs, with a share of a million cases each. */
const fuzzing = ['packages/tunnel', 'packages/pki', 'services/proxy', 'packages/aws', 'packages/resources'].map((cwd) => ({
  name: `fuzzing of ${cwd}`,
  cwd,
  command: ['vitest', 'run', '.fuzz.test.ts'],
}));

/** What the check tries with a fifth of it. */
const whole = [{ name: 'a million audit events', cwd: 'services/auth', command: ['vitest', 'run', 'million-events'] }];

const ok = await runSteps(
  long ? [...fuzzing, ...whole, ...blackBox] : [{ name: 'check', command: ['node', 'scripts/check.mjs'], show: true }, ...blackBox],
);
process.exit(ok ? 0 : 1);
