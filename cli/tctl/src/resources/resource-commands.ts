import type { Command } from 'commander';
import type { AdminOptions } from '#connection/administrator.ts';
import type { GetFlags } from '#resources/get-resources.ts';
import { formatOption } from '@postern/terminal/output';

const kinds = 'role, user, token, lock, db, app, db_server, app_server, proxy, cert_authority, cluster_auth_preference (cap)';

export function addResourceCommands(tctl: Command, options: () => AdminOptions): void {
  tctl
    .command('create')
    .description('create resources from a file, or from standard input')
    .argument('[file]', 'YAML or JSON, several documents are welcome; - is standard input')
    .option('-f, --force', 'replace what exists')
    .action(async (file: string | undefined, flags: { force?: boolean }) => {
      await (await import('#resources/create-resources.ts')).createResources(options(), { file, force: flags.force === true });
    });
  tctl
    .command('get')
    .description('print resources')
    .argument('<resources>', `KIND, KIND/NAME, several with commas between, or all; kinds: ${kinds}`)
    .option('--with-secrets', 'secrets too')
    .option('-v, --verbose', 'accepted as Teleport does; the text form has one shape')
    .addOption(formatOption('yaml'))
    .action(async (refs: string, flags: GetFlags) => (await import('#resources/get-resources.ts')).getResources(options(), refs, flags));
  tctl
    .command('edit')
    .description('edit a resource in TELEPORT_EDITOR, VISUAL or EDITOR')
    .argument('<kind/name>')
    .action(async (ref: string) => (await import('#resources/edit-resource.ts')).editResource(options(), ref));
  tctl
    .command('rm')
    .alias('del')
    .description('remove a resource')
    .argument('<kind/name>')
    .action(async (ref: string) => (await import('#resources/remove-resource.ts')).removeResource(options(), ref));
}
