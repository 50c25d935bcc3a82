import { PosternError } from '@postern/api/errors';
import { readAuthority } from '@postern/pki';
import { checkPins, findCluster, pinned } from '#find/find-cluster.ts';
import { presentedChain } from '#join/presented-authority.ts';

/** How a host reaches the cluster: through a proxy, or an auth server itself. */
export type Reach = { readonly proxy: string; readonly authServer?: never } | { readonly authServer: string; readonly proxy?: never };

export interface TrustOptions {
  readonly caPins?: readonly string[];
  /** The Host CA itself, where it is known already: for parts that start in one process with auth. */
  readonly hostCaPems?: readonly string[];
  /** Through a proxy only: do not verify its web certificate. */
  readonly insecure?: boolean;
  readonly onWarning?: (message: string) => void;
  readonly webRoots?: readonly string[];
}

export interface TrustedAuth {
  readonly address: string;
  readonly via: 'proxy' | 'direct';
  readonly cluster: string;
  readonly hostCaPems: readonly string[];
}

/**
 * Settles whom to believe before anything secret is sent. In this order: a Host CA that is known, pins, and, through a proxy
 * alone, its verified web certificate. There is no trust on first use.
 */
export async function trustedAuth(reach: Reach, options: TrustOptions): Promise<TrustedAuth> {
  const { caPins = [], hostCaPems = [] } = options;
  checkPins(caPins);
  const place =
    reach.proxy === undefined ? ({ address: reach.authServer, via: 'direct' } as const) : ({ address: reach.proxy, via: 'proxy' } as const);
  if (hostCaPems.length > 0) return { ...place, ...ownCluster(hostCaPems) };
  if (reach.proxy !== undefined) {
    const { cluster, hostCaPems: found } = await findCluster({ ...options, proxy: reach.proxy });
    return { ...place, cluster, hostCaPems: found };
  }
  if (caPins.length === 0) {
    throw new PosternError(
      'bad_request',
      `joining through auth_server ${reach.authServer} needs ca_pin, because nothing else tells a true auth server from a false one: tctl status on the auth host prints it`,
    );
  }
  return { ...place, ...ownCluster(pinned(caPins, await presentedChain(reach.authServer), reach.authServer)) };
}

function ownCluster(hostCaPems: readonly string[]): Pick<TrustedAuth, 'cluster' | 'hostCaPems'> {
  const [first, ...others] = hostCaPems.map((pem) => readAuthority(pem));
  if (first === undefined || first.kind !== 'host' || others.some(({ kind, cluster }) => kind !== 'host' || cluster !== first.cluster)) {
    throw new PosternError(
      'cannot_connect',
      'what was pinned is not the Host CA of one cluster: compare it with tctl status on the auth host',
    );
  }
  return { cluster: first.cluster, hostCaPems };
}
