import { callUnary, CertsService, PosternError } from '@postern/api';
import { unknownDatabase } from '#databases/ask-for-db-user.ts';
import { generateKey } from '@postern/pki';
import { openProfileChannel } from '@postern/profile/open-profile-channel';
import { reachAuth } from '@postern/profile/reach-auth';
import type { SignedIn } from '@postern/profile/signed-in';

/** What auth gives a user for one database under one IAM role: a certificate, and the ticket that routes to its agents. */
export interface SessionGrant {
  readonly name: string;
  readonly dbUser: string;
  readonly protocol: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly ticket: string;
  readonly agentIds: readonly string[];
  readonly hostCaPems: readonly string[];
  readonly validUntilMs: number;
}

/** Auth decides whether this user may use the role on this database, before any agent is dialled. */
export async function issueGrant(who: SignedIn, name: string, dbUser: string): Promise<SessionGrant> {
  const key = generateKey();
  const request = { resourceKind: 'db', resourceName: name, principal: dbUser, publicKey: key.publicKeyDer, ttlSeconds: 0 };
  try {
    const cert = await reachAuth(openProfileChannel(who), who.profile.proxy, (client) =>
      callUnary(client, CertsService.issueSessionCert, request),
    );
    const { protocol, certificatePem, ticket, agentIds, hostCaPems, validUntilMs } = cert;
    return { name, dbUser, protocol, certificatePem, privateKeyPem: key.privateKeyPem, ticket, agentIds, hostCaPems, validUntilMs };
  } catch (error) {
    throw error instanceof PosternError && error.code === 'not_found' ? unknownDatabase(name) : error;
  }
}

export function grantToJson(grant: SessionGrant): string {
  return `${JSON.stringify({ version: 1, ...grant })}\n`;
}

/** Undefined where it is no grant of this version: one is asked for anew then. */
export function grantFromJson(text: string): SessionGrant | undefined {
  try {
    const value = JSON.parse(text) as Partial<SessionGrant> | null;
    const texts = [value?.name, value?.dbUser, value?.protocol, value?.certificatePem, value?.privateKeyPem, value?.ticket];
    const whole = texts.every((part) => typeof part === 'string') && Array.isArray(value?.agentIds) && Array.isArray(value.hostCaPems);
    return whole && typeof value?.validUntilMs === 'number' ? (value as SessionGrant) : undefined;
  } catch {
    return undefined;
  }
}
