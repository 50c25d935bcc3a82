import { listServers } from '#cluster/list-servers.ts';
import type { AdminOptions } from '#connection/administrator.ts';
import { type Format, labelsText } from '@postern/terminal/output';

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

const titles = ['Host', 'Name', 'Protocol', 'URI', 'Labels', 'Version'];

export async function listDatabases(options: AdminOptions, flags: { readonly format: Format; readonly search?: string }): Promise<void> {
  await listServers<SentServer>(options, { ...flags, kind: 'db_server', titles, cellsOf });
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
