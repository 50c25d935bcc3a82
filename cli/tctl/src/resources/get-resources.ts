import type { Client } from '@grpc/grpc-js';
import { serverRefusal } from '@postern/api/server-refusal';
import { callUnary, PosternError, ResourcesService } from '@postern/api';
import { type Resource, toJson, toYaml } from '@postern/resources';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { listAll } from '#resources/list-all.ts';
import { parseRefs, type ResourceRefText } from '#resources/resource-ref.ts';
import { type Format, labelsText, table, warn } from '@postern/terminal/output';

export interface GetFlags {
  readonly withSecrets?: boolean;
  readonly format: Format;
}

/** YAML documents by default; JSON is always an array, as scripts expect. */
export async function getResources(options: AdminOptions, text: string, flags: GetFlags): Promise<void> {
  const refs = parseRefs(text);
  const found = await asAdministrator(options, async ({ client }) => {
    const resources: Resource[] = [];
    for (const ref of refs)
      resources.push(...(await read(client, ref, { withSecrets: flags.withSecrets === true, skipDenied: text === 'all' })));
    return resources;
  });
  if (flags.format === 'json') process.stdout.write(withEnd(toJson(found)));
  else if (flags.format === 'yaml') process.stdout.write(found.length === 0 ? '' : withEnd(toYaml(found)));
  else process.stdout.write(withEnd(resourceTable(found)));
  // The reason is in the document as well, far down.
  for (const resource of found) {
    const reason = serverRefusal(resource);
    if (reason !== undefined) warn(`${resource.kind}/${resource.metadata.name} is not served, since auth refused it: ${reason}`);
  }
}

function resourceTable(resources: readonly Resource[]): string {
  return table(
    ['Kind', 'Name', 'Labels'],
    resources.map(({ kind, metadata }) => [kind, metadata.name, labelsText(metadata.labels ?? {})]),
  );
}

async function read(
  client: Client,
  { kind, name }: ResourceRefText,
  { withSecrets, skipDenied }: { readonly withSecrets: boolean; readonly skipDenied: boolean },
): Promise<readonly Resource[]> {
  try {
    if (name === undefined) return (await listAll(client, { kind, withSecrets })) as readonly Resource[];
    const { json } = await callUnary(client, ResourcesService.getResource, { kind, name, withSecrets });
    return [JSON.parse(json.toString('utf8')) as Resource];
  } catch (error) {
    if (!skipDenied || !(error instanceof PosternError) || (error.code !== 'denied' && error.code !== 'unimplemented')) throw error;
    warn(`left out ${kind}: ${error.message}`);
    return [];
  }
}

function withEnd(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
