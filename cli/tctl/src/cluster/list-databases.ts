import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { listAll } from '#resources/list-all.ts';
import { type Format, labelsText, print, table } from '@postern/terminal/output';

interface SentServer {
  readonly metadata?: { readonly name?: string };
  readonly spec?: {
    readonly hostname?: string;
    readonly host_id?: string;
    readonly version?: string;
    readonly database?: {
      readonly metadata?: { readonly name?: string; readonly labels?: Record<string, string> };
      readonly spec?: { readonly protocol?: string; readonly uri?: string };
    };
  };
}

export async function listDatabases(options: AdminOptions, flags: { readonly format: Format; readonly search?: string }): Promise<void> {
  const all = (await asAdministrator(options, ({ client }) =>
    listAll(client, { kind: 'db_server', withSecrets: false }),
  )) as readonly SentServer[];
  const words = (flags.search ?? '')
    .toLowerCase()
    .split(/[ ,]+/)
    .filter((word) => word !== '');
  const servers = all.filter((server) => words.every((word) => cellsOf(server).join(' ').toLowerCase().includes(word)));
  await print(flags.format, servers, () => table(['Host', 'Name', 'Protocol', 'URI', 'Labels', 'Version'], servers.map(cellsOf)));
}

function cellsOf({ metadata, spec }: SentServer): readonly string[] {
  const database = spec?.database;
  return [
    spec?.hostname ?? spec?.host_id ?? '',
    database?.metadata?.name ?? metadata?.name ?? '',
    database?.spec?.protocol ?? '',
    database?.spec?.uri ?? '',
    labelsText(database?.metadata?.labels ?? {}),
    spec?.version ?? '',
  ];
}
