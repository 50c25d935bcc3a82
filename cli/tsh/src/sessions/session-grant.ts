import { callUnary, CertsService, PosternError } from '@postern/api';
import { certificateDerOf, generateKey, identityOf } from '@postern/pki';
import { openProfileChannel } from '@postern/profile/open-profile-channel';
import { reachAuth } from '@postern/profile/reach-auth';
import type { SignedIn } from '@postern/profile/signed-in';
import { type ResourceKind, unknownResource } from '#sessions/resource-kind.ts';

/** A resource and the IAM role that is asked for on it. */
export interface AskedSession {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly principal: string;
}

/** What auth gives a user for one resource under one IAM role: a certificate, and the ticket that routes to its agents. */
export interface SessionGrant extends AskedSession {
  readonly protocol: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly ticket: string;
  readonly agentIds: readonly string[];
  readonly hostCaPems: readonly string[];
  readonly validUntilMs: number;
}

/** Auth decides whether this user may use the role on this resource, before any agent is dialled. */
export async function issueGrant(who: SignedIn, { kind, name, principal }: AskedSession): Promise<SessionGrant> {
  const key = generateKey();
  const request = { resourceKind: kind, resourceName: name, principal, publicKey: key.publicKeyDer, ttlSeconds: 0 };
  try {
    const cert = await reachAuth(openProfileChannel(who), who.profile.proxy, (client) =>
      callUnary(client, CertsService.issueSessionCert, request),
    );
    const { protocol, certificatePem, ticket, agentIds, hostCaPems, validUntilMs } = cert;
    return {
      kind,
      name,
      principal,
      protocol,
      certificatePem,
      privateKeyPem: key.privateKeyPem,
      ticket,
      agentIds,
      hostCaPems,
      validUntilMs,
    };
  } catch (error) {
    throw error instanceof PosternError && error.code === 'not_found' ? unknownResource(kind, name) : error;
  }
}

/** As auth and agents know the session. */
export function sessionIdOf({ certificatePem }: SessionGrant): string {
  return identityOf(certificateDerOf(certificatePem)).sessionId;
}

export function grantToJson(grant: SessionGrant): string {
  return `${JSON.stringify({ version: 2, ...grant })}\n`;
}

/** Undefined where it is no grant of this version: one is asked for anew then. */
export function grantFromJson(text: string): SessionGrant | undefined {
  try {
    const value = JSON.parse(text) as Partial<SessionGrant> | null;
    return isGrant(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isGrant(value: Partial<SessionGrant> | null): value is SessionGrant {
  const texts = [value?.kind, value?.name, value?.principal, value?.protocol, value?.certificatePem, value?.privateKeyPem, value?.ticket];
  const whole = texts.every((part) => typeof part === 'string') && Array.isArray(value?.agentIds) && Array.isArray(value.hostCaPems);
  return whole && typeof value?.validUntilMs === 'number';
}
