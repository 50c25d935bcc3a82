import { callUnary, UsersService } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { newPassword } from '@postern/terminal/secrets';

export async function resetUser(options: AdminOptions, name: string, flags: { readonly passwordStdin?: boolean }): Promise<void> {
  const password = await newPassword({ fromStdin: flags.passwordStdin === true, user: name });
  await asAdministrator(options, ({ client }) => callUnary(client, UsersService.resetPassword, { name, password }));
  process.stdout.write(`User "${name}" has been reset: the new password counts from now on\n`);
}
