// npm run generate: TypeScript from proto/ and from AWS's tables in packages/aws/data. With --check nothing is written and a difference fails.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const checking = process.argv.includes('--check');
const target = 'packages/api/src/gen';
const into = checking ? mkdtempSync(join(tmpdir(), 'postern-gen-')) : target;

function must(command, args, options = {}) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', ...options });
  if (status !== 0) process.exit(status ?? 1);
}

if (!checking) rmSync(target, { recursive: true, force: true });
const template = JSON.stringify({
  version: 'v2',
  plugins: [
    {
      local: 'protoc-gen-ts_proto',
      out: into,
      opt: [
        'enumsAsLiterals=true',
        'importSuffix=.ts',
        'outputServices=grpc-js',
        'oneof=unions-value',
        'env=node',
        'esModuleInterop=true',
        // Times are milliseconds and counts are small: both are exact in a double.
        'forceLong=number',
        'useExactTypes=false',
        'removeEnumPrefix=true',
      ],
    },
  ],
});
must('buf', ['generate', 'proto', '--template', template]);
if (checking) {
  must('diff', ['-r', into, target]);
  rmSync(into, { recursive: true });
}
for (const name of ['generate-operations', 'generate-hosts', 'generate-services', 'generate-endpoints']) {
  must('node', [`packages/aws/scripts/${name}.mjs`, ...(checking ? ['--check'] : [])]);
}
