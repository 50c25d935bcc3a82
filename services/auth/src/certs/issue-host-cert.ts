import { type HostIdentity, type Identity, Identity_Kind } from '@postern/api';
import { issueCertificate } from '@postern/pki';
import type { Authorities } from '#authorities/authorities.ts';
import { HOST_CERT_TTL_MS } from '#config.ts';
import type { JoinRole } from '#tokens/token.ts';

const kindOf: Readonly<Record<JoinRole, Identity_Kind>> = {
  db: Identity_Kind.DB_AGENT,
  app: Identity_Kind.APP_AGENT,
  proxy: Identity_Kind.PROXY,
};

export interface HostCertRequest {
  readonly hostId: string;
  readonly role: JoinRole;
  readonly publicKey: Buffer;
}

export async function issueHostCert(
  deps: { readonly authorities: Authorities; readonly nowMs: () => number },
  request: HostCertRequest,
): Promise<HostIdentity & { readonly serial: string }> {
  const nowMs = deps.nowMs();
  const issued = await issueCertificate({
    authority: deps.authorities.signer('host'),
    identity: hostIdentity({ kind: kindOf[request.role], name: request.hostId, cluster: deps.authorities.cluster }),
    publicKey: request.publicKey,
    notAfterMs: nowMs + HOST_CERT_TTL_MS,
    nowMs,
  });
  return {
    hostId: request.hostId,
    cluster: deps.authorities.cluster,
    certificatePem: issued.certificatePem,
    hostCaPems: [...deps.authorities.trustedPems('host')],
    userCaPems: [...deps.authorities.trustedPems('user')],
    validUntilMs: issued.notAfterMs,
    serial: issued.serial,
  };
}

/** A host has no roles, traits or generation: what it may do follows from its kind and its record. */
export function hostIdentity(host: { readonly kind: Identity_Kind; readonly name: string; readonly cluster: string }): Identity {
  return { ...host, roles: [], traits: {}, route: undefined, sessionId: '', secondFactor: false, generation: '' };
}
