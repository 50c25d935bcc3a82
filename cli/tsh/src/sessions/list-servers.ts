import { callUnary, ResourcesService } from '@postern/api';
import { serverRefusal } from '@postern/api/server-refusal';
import { openProfileChannel } from '@postern/profile/open-profile-channel';
import { reachAuth } from '@postern/profile/reach-auth';
import type { SignedIn } from '@postern/profile/signed-in';

const PAGE_SIZE = 200;

/** What agents serve of one kind and auth shows this user, page after page, as it sent it. */
export function listServers(who: SignedIn, kind: 'db_server' | 'app_server'): Promise<readonly object[]> {
  return reachAuth(openProfileChannel(who), who.profile.proxy, async (client) => {
    const sent: object[] = [];
    let pageToken = '';
    do {
      const page = await callUnary(client, ResourcesService.listResources, { kind, withSecrets: false, pageSize: PAGE_SIZE, pageToken });
      for (const { json } of page.resources) sent.push(JSON.parse(json.toString('utf8')) as object);
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    return sent.filter((server) => serverRefusal(server) === undefined);
  });
}
