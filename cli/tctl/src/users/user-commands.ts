import type { Command } from 'commander';
import type { AdminOptions } from '#connection/administrator.ts';
import type { AddUserFlags } from '#users/add-user.ts';
import type { UpdateUserFlags } from '#users/update-user.ts';
import { collectList, type Format, formatOption } from '@postern/terminal/output';

export function addUserCommands(tctl: Command, options: () => AdminOptions): void {
  const users = tctl.command('users').description('local users');
  users
    .command('add')
    .description('make a user; the password is asked for twice, or read with --password-stdin')
    .argument('<name>')
    .requiredOption('--roles <roles>', 'the roles of the user, with commas between', collectList)
    .option('--db-users <values>', 'IAM roles for {{internal.db_users}}', collectList)
    .option('--aws-role-arns <values>', 'IAM roles for {{internal.aws_role_arns}}', collectList)
    .option('--logins <values>', 'values for {{internal.logins}}', collectList)
    .option('--password-stdin', 'the first line of standard input is the password')
    .action(async (name: string, flags: AddUserFlags) => (await import('#users/add-user.ts')).addUser(options(), name, flags));
  users
    .command('update')
    .description('change roles or traits; a list replaces the whole list')
    .argument('<name>')
    .option('--set-roles <roles>', 'the roles of the user', collectList)
    .option('--set-db-users <values>', 'IAM roles for {{internal.db_users}}', collectList)
    .option('--set-aws-role-arns <values>', 'IAM roles for {{internal.aws_role_arns}}', collectList)
    .option('--set-logins <values>', 'values for {{internal.logins}}', collectList)
    .action(async (name: string, flags: UpdateUserFlags) => (await import('#users/update-user.ts')).updateUser(options(), name, flags));
  users
    .command('ls')
    .description('users and their roles')
    .addOption(formatOption())
    .action(async ({ format }: { format: Format }) => (await import('#users/list-users.ts')).listUsers(options(), format));
  users
    .command('reset')
    .description('set a new password, lift a lock-out and end what the old password signed in')
    .argument('<name>')
    .option('--password-stdin', 'the first line of standard input is the password')
    .action(async (name: string, flags: { passwordStdin?: boolean }) =>
      (await import('#users/reset-user.ts')).resetUser(options(), name, flags),
    );
  users
    .command('rm')
    .description('remove users')
    .argument('<names>', 'a name, or several with commas between', collectList)
    .action(async (names: string[]) => (await import('#users/remove-users.ts')).removeUsers(options(), names));
}
