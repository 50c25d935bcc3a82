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

/** A thread's file is named in the sources by its own path, and in a bundle by that of its chunk. */
const workers = {
  name: 'workers',
  transform(code, id) {
    if (!id.endsWith('.ts') || !code.includes('new Worker(')) return undefined;
    return code.replace(/new URL\('(\.\/[\w-]+\.ts)', import\.meta\.url\)/g, (_, file) => {
      const chunk = this.emitFile({ type: 'chunk', id: join(dirname(id), file) });
      return `new URL(import.meta.ROLLUP_FILE_URL_${chunk})`;
    });
  },
};

async function bundle(name) {
  const home = join(root, 'cli', name);
  const next = join(home, `dist.${process.pid}.new`);
  const built = await rolldown({
    input: { main: join(home, 'src', 'main.ts') },
    cwd: root,
    platform: 'node',
    external: [/^node:/],
    logLevel: 'warn',
    plugins: [workers],
    onLog(level, log, handler) {
      // What cannot be resolved would be left to run time, and a bundle is also run where node_modules is not.
      const ours = !(log.id ?? log.message ?? '').includes('node_modules');
      if (log.code === 'UNRESOLVED_IMPORT' && ours) handler('error', log);
      else if (level !== 'warn' || ours) handler(level, log);
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
