import { Identity_Kind } from '@postern/api';
import { type Authority, type AuthorityKind, certificateDerOf, createAuthority, identityOf } from '@postern/pki';
import type { Held } from '@postern/test-harness/dial.ts';
import { CLUSTER, forge } from './held.ts';

type Authorities = Readonly<Record<AuthorityKind, Authority>>;

/** The same identity once more, with a key of its own and an end of its own, by the cluster's own authority. */
export function briefTwin(of: Held, authorities: Authorities, ttlMs: number): Promise<Held> {
  const identity = identityOf(certificateDerOf(of.certificatePem));
  return forge(identity, { authority: authorities[authorityKindOf(identity.kind)], ttlMs });
}

/** The same identity, wrong in one thing: who signed it, or which cluster it is of. */
export async function foreignTwins(of: Held, authorities: Authorities): Promise<Readonly<Record<string, Held>>> {
  const identity = identityOf(certificateDerOf(of.certificatePem));
  const kind = authorityKindOf(identity.kind);
  const other = authorities[kind === 'host' ? 'user' : 'host'];
  return {
    'of another cluster of this name': await forge(identity, {
      authority: await createAuthority({ kind, cluster: CLUSTER, nowMs: Date.now() }),
    }),
    'by our authority, for another cluster': await forge(
      { ...identity, cluster: 'other.internal' },
      { authority: { ...authorities[kind], cluster: 'other.internal' } },
    ),
    // It says of itself that it may.
    'by the authority for the other kinds': await forge(identity, { authority: { ...other, kind } }),
  };
}

function authorityKindOf(kind: Identity_Kind): AuthorityKind {
  const hosts: readonly Identity_Kind[] = [Identity_Kind.DB_AGENT, Identity_Kind.APP_AGENT, Identity_Kind.PROXY, Identity_Kind.AUTH];
  return hosts.includes(kind) ? 'host' : 'user';
}
