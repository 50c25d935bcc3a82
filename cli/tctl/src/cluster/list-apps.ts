import { listServers } from '#cluster/list-servers.ts';
import type { AdminOptions } from '#connection/administrator.ts';
import { type Format, labelsText } from '@postern/terminal/output';

interface SentApp {
  readonly metadata?: { readonly name?: string };
  readonly spec?: {
    readonly hostname?: string;
    readonly host_id?: string;
    readonly version?: string;
    readonly app?: {
      readonly metadata?: { readonly name?: string; readonly labels?: Record<string, string> };
      readonly spec?: { readonly uri?: string; readonly public_addr?: string };
    };
  };
}

const titles = ['Application', 'Host', 'Public Address', 'URI', 'Labels', 'Version'];

export async function listApps(options: AdminOptions, flags: { readonly format: Format; readonly search?: string }): Promise<void> {
  await listServers<SentApp>(options, { ...flags, kind: 'app_server', titles, cellsOf });
}

function cellsOf({ metadata, spec }: SentApp): readonly string[] {
  const app = spec?.app;
  return [
    app?.metadata?.name ?? metadata?.name ?? '',
    spec?.hostname ?? spec?.host_id ?? '',
    app?.spec?.public_addr ?? '',
    app?.spec?.uri ?? '',
    labelsText(app?.metadata?.labels ?? {}),
    spec?.version ?? '',
  ];
}
