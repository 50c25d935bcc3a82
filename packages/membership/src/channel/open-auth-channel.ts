import { createSecureContext } from 'node:tls';
import { type Client, credentials } from '@grpc/grpc-js';
import { Identity_Kind } from '@postern/api/identity';
import { clientContextOptions, type IdentityMaterial, serverIdentityCheck } from '@postern/pki';
import { ClosingClient, wideChannelOptions } from '@postern/tunnel';

/** The name that makes a proxy splice a connection through to auth; auth itself answers to it as well. */
export const AUTH_SERVER_NAME = 'auth.postern.internal';

export interface OpenAuthChannelOptions {
  /** host:port of the proxy or of auth. */
  readonly address: string;
  /** Says how the address was meant; TLS ends at auth either way, and what is checked is the same. */
  readonly via: 'proxy' | 'direct';
  readonly hostCaPems: readonly string[];
  readonly cluster: string;
  /** Without it only Join and Login can be called. */
  readonly client?: IdentityMaterial;
  readonly nowMs?: () => number;
  /** Between two pings; those of tunnelLimits where it is not given. */
  readonly keepaliveMs?: number;
}

/** A channel to auth, end to end. The caller closes it. It connects with the first call. */
export function openAuthChannel(options: OpenAuthChannelOptions): Client {
  const { address, hostCaPems, cluster, client, nowMs = Date.now, keepaliveMs } = options;
  const context = createSecureContext(clientContextOptions(hostCaPems, client));
  const checkServerIdentity = serverIdentityCheck({ hostCaPems, cluster, kinds: [Identity_Kind.AUTH], nowMs });
  return new ClosingClient(
    address,
    credentials.createFromSecureContext(context, { checkServerIdentity }),
    wideChannelOptions({
      'grpc.ssl_target_name_override': AUTH_SERVER_NAME,
      'grpc.default_authority': AUTH_SERVER_NAME,
      ...(keepaliveMs === undefined ? {} : { 'grpc.keepalive_time_ms': keepaliveMs }),
    }),
  );
}
