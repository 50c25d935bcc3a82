// How every generator here ends: the file is written; with --print it goes to standard output; with --check a difference fails.
import { readFileSync, writeFileSync } from 'node:fs';

export function generated(target, text) {
  if (process.argv.includes('--print')) return void process.stdout.write(text);
  if (!process.argv.includes('--check')) return writeFileSync(target, text);
  if (readFileSync(target, 'utf8') === text) return;
  process.stderr.write(`${target.pathname} is not what its generator makes of data/: run npm run generate\n`);
  process.exitCode = 1;
}
