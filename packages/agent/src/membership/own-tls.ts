import type { TlsOptions } from 'node:tls';
import { Identity_Kind } from '@postern/api';
import { clientContextOptions, serverIdentityCheck, serverTlsOptions } from '@postern/pki';
import type { TunnelCredentials } from '@postern/tunnel';
import type { Membership } from '#membership/membership.ts';

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
  const { certificatePem, privateKeyPem, hostCaPems } = membership.current();
  return {
    context: clientContextOptions(hostCaPems, { certificatePem, privateKeyPem }),
    checkServer: serverIdentityCheck({ cluster: membership.cluster, kinds: [Identity_Kind.PROXY], hostCaPems, nowMs }),
  };
}
