import type { Handlers, PresenceService } from '@postern/api';
import { announceProxy } from '#presence/announce-proxy.ts';
import { announceServers, type PresenceDeps } from '#presence/announce-servers.ts';
import { identified } from '#rpc/identified.ts';

export function presenceHandlers(deps: PresenceDeps): Handlers<typeof PresenceService> {
  return {
    announceServers: async (request, context) => {
      const { identity } = identified(context);
      const { servers, nodeName, version } = request;
      const { refusals, effectiveLabels } = await announceServers(deps, { hostId: identity.name, servers, nodeName, version });
      const labels = Object.entries(effectiveLabels).map(([name, set]) => [name, { labels: { ...set } }] as const);
      return { refusals: [...refusals], effectiveLabels: Object.fromEntries(labels) };
    },
    announceProxy: async (request, context) => {
      const { identity } = identified(context);
      await announceProxy(deps, { hostId: identity.name, ...request });
      return {};
    },
  };
}
