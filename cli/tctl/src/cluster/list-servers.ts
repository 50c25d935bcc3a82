import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { listAll } from '#resources/list-all.ts';
import { type Format, print, table } from '@postern/terminal/output';

export interface ServerListing<Sent> {
  readonly kind: 'db_server' | 'app_server';
  readonly titles: readonly string[];
  readonly cellsOf: (server: Sent) => readonly string[];
  readonly format: Format;
  readonly search?: string;
}

/** What agents serve, one line for each agent; of the search every word must stand in the line. */
export async function listServers<Sent>(options: AdminOptions, listing: ServerListing<Sent>): Promise<void> {
  const { kind, titles, cellsOf, format, search = '' } = listing;
  const all = (await asAdministrator(options, ({ client }) => listAll(client, { kind, withSecrets: false }))) as readonly Sent[];
  const words = search
    .toLowerCase()
    .split(/[ ,]+/)
    .filter((word) => word !== '');
  const servers = all.filter((server) => words.every((word) => cellsOf(server).join(' ').toLowerCase().includes(word)));
  await print(format, servers, () => table([...titles], servers.map(cellsOf)));
}
