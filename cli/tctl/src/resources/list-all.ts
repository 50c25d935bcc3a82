import type { Client } from '@grpc/grpc-js';
import { callUnary, ResourcesService } from '@postern/api';

const PAGE_SIZE = 200;

/** Every resource of a kind, page after page, as the JSON that auth sent. */
export async function listAll(
  client: Client,
  query: { readonly kind: string; readonly withSecrets: boolean },
): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  let pageToken = '';
  do {
    const page = await callUnary(client, ResourcesService.listResources, { ...query, pageSize: PAGE_SIZE, pageToken });
    for (const { json } of page.resources) found.push(JSON.parse(json.toString('utf8')));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return found;
}
