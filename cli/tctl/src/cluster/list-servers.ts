import { serverRefusal } from '@postern/api/server-refusal';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { listAll } from '#resources/list-all.ts';
import { type Format, print, table } from '@postern/terminal/output';

export interface ServerListing<Sent extends object> {
  readonly kind: 'db_server' | 'app_server';
  readonly titles: readonly string[];
  readonly cellsOf: (server: Sent) => readonly string[];
  readonly format: Format;
  readonly search?: string;
}

/**
 * What agents announce, one line for each agent; of the search every word must stand in the line. What auth refused is there too, since nothing
 * else shows an administrator why it cannot be reached; its reason stands last, where no reader of columns counts on another.
 */
export async function listServers<Sent extends object>(options: AdminOptions, listing: ServerListing<Sent>): Promise<void> {
  const { kind, titles, cellsOf, format, search = '' } = listing;
  const all = (await asAdministrator(options, ({ client }) => listAll(client, { kind, withSecrets: false }))) as readonly Sent[];
  const words = search
    .toLowerCase()
    .split(/[ ,]+/)
    .filter((word) => word !== '');
  const servers = all.filter((server) => words.every((word) => cellsOf(server).join(' ').toLowerCase().includes(word)));
  const isAnyRefused = servers.some((server) => serverRefusal(server) !== undefined);
  await print(format, servers, () =>
    isAnyRefused
      ? table(
          [...titles, 'Refused'],
          servers.map((server) => [...cellsOf(server), serverRefusal(server) ?? '']),
        )
      : table(titles, servers.map(cellsOf)),
  );
}
