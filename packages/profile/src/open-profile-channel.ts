import type { Client } from '@grpc/grpc-js';
import { openAuthChannel } from '@postern/membership';
import type { SignedIn } from '#signed-in.ts';

/** To auth, end to end through the proxy, with the user's certificate. The caller closes it. */
export function openProfileChannel({ profile, credentials }: Pick<SignedIn, 'profile' | 'credentials'>): Client {
  return openAuthChannel({
    address: profile.proxy,
    via: 'proxy',
    hostCaPems: profile.hostCaPems,
    cluster: profile.cluster,
    client: credentials,
  });
}
