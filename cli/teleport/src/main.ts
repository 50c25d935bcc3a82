import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import manifest from '../package.json' with { type: 'json' };

// Asked for by scripts in a loop: answered before anything else is loaded, the command parser included.
if (process.argv.length === 3 && process.argv[2] === 'version') {
  process.stdout.write(`Postern v${manifest.version} node ${process.version}\n`);
} else {
  // In the person's own home: compiled code out of a directory that others may write would be run as ours. Where it cannot
  // be written, Node goes on without.
  enableCompileCache(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'postern'));
  const { runTeleport } = await import('#program.ts');
  await runTeleport(process.argv.slice(2), manifest.version);
}
