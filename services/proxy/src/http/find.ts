import { caPin } from '@postern/pki';
import { minClientVersion, serverVersion } from '#config.ts';

export interface ClusterFacts {
  readonly cluster: string;
  readonly publicAddress: string;
  readonly hostCaPems: readonly string[];
}

/** What tsh, agents and install scripts ask before anything else. Field names are Teleport's, but for the Host CA and its pins. */
export function findAnswer(facts: ClusterFacts): Record<string, unknown> {
  return {
    edition: 'oss',
    server_version: serverVersion,
    min_client_version: minClientVersion,
    cluster_name: facts.cluster,
    proxy: {
      tls_routing_enabled: true,
      kube: { enabled: false },
      ssh: { public_addr: facts.publicAddress, web_listen_addr: facts.publicAddress },
      db: {},
    },
    auth: { type: 'local', second_factor: 'off', local: { name: '' } },
    host_ca_pems: facts.hostCaPems,
    ca_pins: facts.hostCaPems.map((pem) => caPin(pem)),
  };
}
