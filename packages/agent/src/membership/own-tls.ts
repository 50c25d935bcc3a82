import type { TlsOptions } from 'node:tls';
import { Identity_Kind } from '@postern/api';
import { clientContextOptions, serverIdentityCheck, serverTlsOptions } from '@postern/pki';
import type { TunnelCredentials } from '@postern/tunnel';
import type { HostMaterial, Membership } from '#membership/membership.ts';

/** By the certificate of the moment, so that its files are read once and not with every dial. */
const towardsProxies = new WeakMap<HostMaterial, TunnelCredentials>();

/** Towards clients: the agent's own certificate, and a certificate of the user CA is demanded. */
export function sessionTls(membership: Membership): TlsOptions {
  const { certificatePem, privateKeyPem, userCaPems } = membership.current();
  return serverTlsOptions({
    identity: { certificatePem, privateKeyPem },
    clientCas: userCaPems,
    requestCert: true,
    rejectUnauthorized: true,
  });
}

/** Towards proxies: none is accepted that is not a proxy of this cluster. */
export function tunnelCredentials(membership: Membership, nowMs: () => number): TunnelCredentials {
  const material = membership.current();
  const known = towardsProxies.get(material);
  if (known !== undefined) return known;
  const { certificatePem, privateKeyPem, hostCaPems } = material;
  const made = {
    context: clientContextOptions(hostCaPems, { certificatePem, privateKeyPem }),
    checkServer: serverIdentityCheck({ cluster: membership.cluster, kinds: [Identity_Kind.PROXY], hostCaPems, nowMs }),
  };
  towardsProxies.set(material, made);
  return made;
}
