import { type CertsService, type Handlers, HostIdentity } from '@postern/api';
import { signedInUser } from '#administration/person.ts';
import { endSession } from '#certs/end-session.ts';
import { issueHostCert } from '#certs/issue-host-cert.ts';
import { issueSessionCert, type SessionCertDeps } from '#certs/issue-session-cert.ts';
import { requireHost } from '#hosts/host-record.ts';
import { requireUnlocked } from '#locks/locks.ts';
import { identified } from '#rpc/identified.ts';

export function certsHandlers(deps: SessionCertDeps): Handlers<typeof CertsService> {
  return {
    issueSessionCert: async (request, context) => {
      const caller = identified(context);
      const person = await signedInUser(deps, caller);
      const { resourceKind, resourceName, principal, publicKey, ttlSeconds } = request;
      const askedTtlMs = ttlSeconds > 0 ? ttlSeconds * 1000 : undefined;
      const issued = await issueSessionCert(deps, { person, caller, resourceKind, resourceName, principal, publicKey, askedTtlMs });
      return {
        certificatePem: issued.certificatePem,
        ticket: issued.ticket,
        agentIds: [...issued.agentIds],
        hostCaPems: [...deps.authorities.trustedPems('host')],
        validUntilMs: issued.notAfterMs,
        protocol: issued.protocol,
        sessionId: issued.sessionId,
      };
    },
    endSession: async ({ sessionId }, context) => {
      await endSession(deps, { person: await signedInUser(deps, identified(context)), sessionId });
      return {};
    },
    renewHostCert: async (request, context) => {
      const { identity } = identified(context);
      const host = await requireHost(deps.store, identity.name);
      await requireUnlocked(deps, { hostId: host.id, tokenId: host.tokenId });
      return HostIdentity.fromPartial(await issueHostCert(deps, { hostId: host.id, role: host.role, publicKey: request.publicKey }));
    },
  };
}
