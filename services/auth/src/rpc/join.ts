import { type Handlers, HostIdentity, type JoinService } from '@postern/api';
import { type JoinDeps, joinHost } from '#join/join-host.ts';

export function joinHandlers(deps: JoinDeps): Handlers<typeof JoinService> {
  return {
    join: async (request, { caller }) => {
      const { token, role, nodeName, version, publicKey } = request;
      return HostIdentity.fromPartial(await joinHost(deps, { token, role, nodeName, version, publicKey, address: caller.address }));
    },
  };
}
