import type { Command } from 'commander';
import type { AdminOptions } from '#connection/administrator.ts';
import { type Format, formatOption, parseDuration } from '@postern/terminal/output';
import type { ExplainFlags } from '#access/explain.ts';
import type { LockFlags } from '#cluster/create-lock.ts';

export function addClusterCommands(tctl: Command, options: () => AdminOptions): void {
  tctl
    .command('status')
    .description('name, version and CA pins of the cluster')
    .addOption(formatOption())
    .action(async ({ format }: { format: Format }) => (await import('#cluster/status.ts')).status(options(), format));
  tctl
    .command('lock')
    .description('cut off a user, everyone with a role, or a host, at once')
    .option('--user <name>', 'lock this user')
    .option('--role <name>', 'lock everyone with this role')
    .option('--server-id <uuid>', 'lock this agent or proxy')
    .option('--message <text>', 'shown to whoever is locked out')
    .option('--expires <time>', 'when the lock ends, RFC 3339')
    .option('--ttl <duration>', 'how long the lock lasts: 30m, 8h', parseDuration)
    .addOption(formatOption())
    .action(async (flags: LockFlags & { format: Format }) => (await import('#cluster/create-lock.ts')).createLock(options(), flags));
  const db = tctl.command('db').description('databases');
  db.command('ls')
    .description('databases and the agents that serve them')
    .option('--search <words>', 'only those that hold each of these words')
    .addOption(formatOption())
    .action(async (flags: { format: Format; search?: string }) =>
      (await import('#cluster/list-databases.ts')).listDatabases(options(), flags),
    );
  const apps = tctl.command('apps').description('applications');
  apps
    .command('ls')
    .description('applications and the agents that serve them')
    .option('--search <words>', 'only those that hold each of these words')
    .addOption(formatOption())
    .action(async (flags: { format: Format; search?: string }) => (await import('#cluster/list-apps.ts')).listApps(options(), flags));
  const access = tctl.command('access').description('who may do what');
  access
    .command('explain')
    .description('what would be decided, and by which rule')
    .requiredOption('--user <name>', 'whose access')
    .option('--db <name>', 'to which database')
    .option('--db-user <role>', 'under which IAM role')
    .option('--app <name>', 'to which application')
    .option('--aws-role <role>', 'under which IAM role: its ARN, or a name that one of the roles allowed has')
    .addOption(formatOption())
    .action(async (flags: ExplainFlags) => {
      await (await import('#access/explain.ts')).explain(options(), flags);
    });
}
