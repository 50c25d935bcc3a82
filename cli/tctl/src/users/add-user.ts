import { callUnary, ResourcesService, UsersService } from '@postern/api';
import { misspeltArns } from '#access/misspelt-arns.ts';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { type TraitFlags, traitsOf } from '#users/traits.ts';
import { warn } from '@postern/terminal/output';
import { newPassword } from '@postern/terminal/secrets';

export interface AddUserFlags extends TraitFlags {
  readonly roles: readonly string[];
  readonly passwordStdin?: boolean;
}

export async function addUser(options: AdminOptions, name: string, flags: AddUserFlags): Promise<void> {
  for (const problem of misspeltArns(flags.awsRoleArns ?? [])) warn(problem);
  // A role that is typed wrong is no reason to type a password twice.
  if (process.stdin.isTTY)
    await asAdministrator(options, async ({ client }) => {
      for (const role of flags.roles)
        await callUnary(client, ResourcesService.getResource, { kind: 'role', name: role, withSecrets: false });
    });
  const password = await newPassword({ fromStdin: flags.passwordStdin === true, user: name });
  await asAdministrator(options, ({ client }) =>
    callUnary(client, UsersService.createUser, { name, roles: [...flags.roles], traits: traitsOf(flags), password }),
  );
  process.stdout.write(`User "${name}" has been created with roles: ${flags.roles.join(', ')}\n`);
}
