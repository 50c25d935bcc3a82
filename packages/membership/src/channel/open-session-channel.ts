import { createSecureContext } from 'node:tls';
import { Client, credentials } from '@grpc/grpc-js';
import type { Identity_Kind } from '@postern/api/identity';
import { clientContextOptions, type IdentityMaterial, serverIdentityCheck } from '@postern/pki';
import { wideChannelOptions } from '@postern/tunnel';

export interface OpenSessionChannelOptions {
  /** host:port of the proxy. */
  readonly address: string;
  readonly ticket: string;
  readonly hostCaPems: readonly string[];
  readonly cluster: string;
  /** Which agents are accepted at the far end: of this kind, and named by auth. */
  readonly kind: Identity_Kind;
  readonly agentIds: readonly string[];
  readonly client: IdentityMaterial;
}

/** A channel to an agent of a session, end to end, for calls that are no connection of a person's. The caller closes it. */
export function openSessionChannel(options: OpenSessionChannelOptions): Client {
  const { address, ticket, hostCaPems, cluster, kind, agentIds, client } = options;
  const context = createSecureContext(clientContextOptions(hostCaPems, client));
  const checkServerIdentity = serverIdentityCheck({ hostCaPems, cluster, kinds: [kind], names: agentIds, nowMs: Date.now });
  const serverName = `${ticket}.session.postern.internal`;
  return new Client(
    address,
    credentials.createFromSecureContext(context, { checkServerIdentity }),
    wideChannelOptions({ 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }),
  );
}
