import { enableCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import manifest from '../package.json' with { type: 'json' };

// Asked for by scripts in a loop: answered before anything else is loaded, the command parser included.
if (process.argv.length === 3 && process.argv[2] === 'version') {
  process.stdout.write(`Postern v${manifest.version} node ${process.version}\n`);
} else {
  // Where the directory cannot be written, Node goes on without a cache.
  enableCompileCache(join(process.env['XDG_CACHE_HOME'] ?? tmpdir(), `postern-compile-cache-${process.getuid?.() ?? 0}`));
  const { runTeleport } = await import('#program.ts');
  await runTeleport(process.argv.slice(2), manifest.version);
}
