// npm run check: everything that can be known without starting a cluster.
import { runSteps } from './run-steps.mjs';

process.env.TURBO_TELEMETRY_DISABLED = '1';
process.env.NODE_MAJOR = process.versions.node.split('.')[0];

const ok = await runSteps([
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings', '.'] },
  { name: 'format', command: ['biome', 'format', '.'] },
  { name: 'dead code and undeclared dependencies', command: ['knip', '--no-progress'] },
  { name: 'contracts: lint', command: ['buf', 'lint', 'proto'] },
  { name: 'contracts: nothing broken since the baseline', command: ['buf', 'breaking', 'proto', '--against', 'proto/baseline.binpb'] },
  { name: 'contracts: generated code is current', command: ['node', 'scripts/generate.mjs', '--check'] },
  { name: 'unit tests', command: ['turbo', 'run', 'test', '--concurrency=2', '--continue', '--output-logs=errors-only'], show: true },
]);
process.exit(ok ? 0 : 1);
