import { callUnary, ResourcesService } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { parseNamedRef, titleOf } from '#resources/resource-ref.ts';

export async function removeResource(options: AdminOptions, text: string): Promise<void> {
  const { kind, name } = parseNamedRef(text);
  await asAdministrator(options, ({ client }) => callUnary(client, ResourcesService.deleteResource, { kind, name, withSecrets: false }));
  process.stdout.write(`${titleOf(kind, name)} has been deleted\n`);
}
