import { callUnary, ResourcesService } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';

/** One after the other, so that the lines say exactly what was done where one of them fails. */
export async function removeUsers(options: AdminOptions, names: readonly string[]): Promise<void> {
  await asAdministrator(options, async ({ client }) => {
    for (const name of names) {
      await callUnary(client, ResourcesService.deleteResource, { kind: 'user', name, withSecrets: false });
      process.stdout.write(`User "${name}" has been deleted\n`);
    }
  });
}
