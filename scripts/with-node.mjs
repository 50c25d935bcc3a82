// Runs a script under a Node of at least 24, and puts that Node first on PATH for whatever the script starts. The machine may
// have an older one: then the binary that npm brought as an optional dependency is used. Plain JavaScript that Node 18 can read.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bundled = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');

const own = Number(process.versions.node.split('.')[0]) >= NEEDED ? process.execPath : undefined;
const node = own ?? (existsSync(bundled) ? bundled : undefined);
if (node === undefined) {
  console.error(`postern needs Node ${NEEDED} or newer (this is ${process.version}): install it, or run npm ci with optional dependencies`);
  process.exit(1);
}
const args = process.argv.slice(2);
const path = [dirname(node), join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter);
const child = spawn(node, args, { stdio: 'inherit', env: { ...process.env, PATH: path } });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  console.error(`cannot run ${node}: ${error.message}`);
  process.exit(1);
});
child.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code ?? 1)));
