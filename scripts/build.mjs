// npm run build: tsh, tctl and teleport as bundles in cli/<name>/dist. Run by npm start and npm test; quick enough to
// run each time, and what it writes is swapped in whole, so that a command started meanwhile sees the old or the new.
import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const commands = ['tsh', 'tctl', 'teleport'];

export async function buildCommands() {
  for (const name of commands) await bundle(name);
}

async function bundle(name) {
  const home = join(root, 'cli', name);
  const next = join(home, `dist.${process.pid}.new`);
  const built = await rolldown({
    input: { main: join(home, 'src', 'main.ts') },
    cwd: root,
    platform: 'node',
    external: [/^node:/],
    // Optional accelerators and platform bindings that ws, ioredis and the AWS SDK ask for and do without.
    checks: { circularDependency: false },
    logLevel: 'warn',
    onLog(level, log, handler) {
      // Packages in node_modules are not ours to warn about.
      if (level !== 'warn' || !(log.id ?? log.message ?? '').includes('node_modules')) handler(level, log);
    },
  });
  try {
    await built.write({
      dir: next,
      format: 'esm',
      entryFileNames: 'main.mjs',
      chunkFileNames: 'chunks/[name]-[hash].mjs',
      sourcemap: false,
      minify: false,
    });
    const dist = join(home, 'dist');
    const old = join(home, `dist.${process.pid}.old`);
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(next, dist);
    rmSync(old, { recursive: true, force: true });
  } finally {
    await built.close();
    rmSync(next, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await buildCommands();
