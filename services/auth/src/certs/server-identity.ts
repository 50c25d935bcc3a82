import { Identity_Kind } from '@postern/api';
import { generateKey, type HostIdentityMaterial, issueCertificate } from '@postern/pki';
import type { Authorities } from '#authorities/authorities.ts';
import { hostIdentity } from '#certs/issue-host-cert.ts';
import { HOST_CERT_TTL_MS } from '#config.ts';

export const AUTH_DNS_NAME = 'auth.postern.internal';

/** What auth shows to callers. The authority goes along, so that a client that holds only a pin can check it. */
export async function issueServerIdentity(
  deps: { readonly authorities: Authorities; readonly nowMs: () => number },
  hostId: string,
): Promise<HostIdentityMaterial & { readonly notAfterMs: number }> {
  const nowMs = deps.nowMs();
  const key = generateKey();
  const signer = deps.authorities.signer('host');
  const issued = await issueCertificate({
    authority: signer,
    identity: hostIdentity({ kind: Identity_Kind.AUTH, name: hostId, cluster: deps.authorities.cluster }),
    publicKey: key.publicKeyDer,
    notAfterMs: nowMs + HOST_CERT_TTL_MS,
    nowMs,
    dnsNames: [AUTH_DNS_NAME],
  });
  return {
    certificatePem: issued.certificatePem,
    privateKeyPem: key.privateKeyPem,
    chainPems: [signer.certificatePem],
    notAfterMs: issued.notAfterMs,
  };
}
