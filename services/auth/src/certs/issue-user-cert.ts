import { type Identity, Identity_Kind, type Values } from '@postern/api';
import { issueCertificate } from '@postern/pki';
import { sessionTtlMs, type Traits } from '@postern/rbac';
import type { Authorities } from '#authorities/authorities.ts';
import type { RoleLoader } from '#roles/load-roles.ts';
import type { UserRecord } from '#users/user-record.ts';

export interface IssuedUserCert {
  readonly certificatePem: string;
  readonly serial: string;
  readonly notAfterMs: number;
}

/** Of the request only the key and a wish for a shorter life are taken; whose it is, and what is in it, is the store's. */
export async function issueUserCert(
  deps: { readonly authorities: Authorities; readonly roles: RoleLoader; readonly defaultTtlMs: number; readonly nowMs: () => number },
  request: { readonly user: UserRecord; readonly publicKey: Buffer; readonly askedTtlMs: number | undefined },
): Promise<IssuedUserCert> {
  const { user } = request;
  const nowMs = deps.nowMs();
  const ttlMs = sessionTtlMs(await deps.roles.load(user.roles), request.askedTtlMs, deps.defaultTtlMs);
  return issueCertificate({
    authority: deps.authorities.signer('user'),
    identity: userIdentity(user, deps.authorities.cluster),
    publicKey: request.publicKey,
    notAfterMs: nowMs + ttlMs,
    nowMs,
  });
}

export function userIdentity(user: UserRecord, cluster: string): Identity {
  return {
    kind: Identity_Kind.USER,
    name: user.name,
    cluster,
    roles: [...user.roles],
    traits: toValues(user.traits),
    route: undefined,
    sessionId: '',
    secondFactor: false,
    generation: user.generation,
  };
}

function toValues(traits: Traits): Record<string, Values> {
  return Object.fromEntries(Object.entries(traits).map(([name, values]) => [name, { values: [...values] }]));
}
