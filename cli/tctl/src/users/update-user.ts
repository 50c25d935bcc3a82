import { callUnary, UsersService } from '@postern/api';
import { misspeltArns } from '#access/misspelt-arns.ts';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { traitsOf } from '#users/traits.ts';
import { warn } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';

export interface UpdateUserFlags {
  readonly setRoles?: readonly string[];
  readonly setDbUsers?: readonly string[];
  readonly setAwsRoleArns?: readonly string[];
  readonly setLogins?: readonly string[];
}

export async function updateUser(options: AdminOptions, name: string, flags: UpdateUserFlags): Promise<void> {
  const { setRoles, setDbUsers, setAwsRoleArns, setLogins } = flags;
  const setTraits = traitsOf({
    ...(setDbUsers === undefined ? {} : { dbUsers: setDbUsers }),
    ...(setAwsRoleArns === undefined ? {} : { awsRoleArns: setAwsRoleArns }),
    ...(setLogins === undefined ? {} : { logins: setLogins }),
  });
  if (setRoles === undefined && Object.keys(setTraits).length === 0) {
    throw new UsageError('nothing to update: give --set-roles, --set-db-users, --set-aws-role-arns or --set-logins');
  }
  // On the wire an empty list means "unchanged": a user without any role is removed, not emptied.
  if (setRoles?.length === 0) throw new UsageError('--set-roles: a user needs a role; tctl users rm removes the user');
  for (const problem of misspeltArns(setAwsRoleArns ?? [])) warn(problem);
  await asAdministrator(options, ({ client }) =>
    callUnary(client, UsersService.updateUser, { name, setRoles: [...(setRoles ?? [])], setTraits }),
  );
  const changed = [
    ...(setRoles === undefined ? [] : [`roles: ${setRoles.join(', ')}`]),
    ...Object.entries(setTraits).map(([trait, { values }]) => `${trait}: ${values.join(', ') || '(none)'}`),
  ];
  process.stdout.write(`User "${name}" has been updated:\n${changed.map((line) => `  - ${line}`).join('\n')}\n`);
}
