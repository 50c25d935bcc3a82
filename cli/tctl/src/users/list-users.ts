import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { listAll } from '#resources/list-all.ts';
import { type Format, print, table } from '@postern/terminal/output';

interface SentUser {
  readonly metadata?: { readonly name?: string };
  readonly spec?: { readonly roles?: readonly string[] };
}

export async function listUsers(options: AdminOptions, format: Format): Promise<void> {
  const users = (await asAdministrator(options, ({ client }) =>
    listAll(client, { kind: 'user', withSecrets: false }),
  )) as readonly SentUser[];
  await print(format, users, () =>
    table(
      ['User', 'Roles'],
      users.map((user) => [user.metadata?.name ?? '', (user.spec?.roles ?? []).join(',')]),
    ),
  );
}
