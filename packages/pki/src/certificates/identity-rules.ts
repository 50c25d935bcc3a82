import { type Identity, Identity_Kind } from '@postern/api/identity';
import { PkiError } from '#pki-error.ts';

export type AuthorityKind = 'host' | 'user';

/** Per kind of identity: the authority that signs it, its room in the SPIFFE id, and whether it may also serve TLS. */
const kinds: ReadonlyMap<Identity_Kind, { readonly authority: AuthorityKind; readonly room: string; readonly serves: boolean }> = new Map([
  [Identity_Kind.USER, { authority: 'user', room: 'user', serves: false }],
  [Identity_Kind.SESSION, { authority: 'user', room: 'user', serves: false }],
  [Identity_Kind.ADMIN, { authority: 'user', room: 'user', serves: false }],
  [Identity_Kind.DB_AGENT, { authority: 'host', room: 'agent', serves: true }],
  [Identity_Kind.APP_AGENT, { authority: 'host', room: 'agent', serves: true }],
  [Identity_Kind.PROXY, { authority: 'host', room: 'proxy', serves: true }],
  [Identity_Kind.AUTH, { authority: 'host', room: 'auth', serves: true }],
]);

export interface KindRules {
  readonly authority: AuthorityKind;
  readonly serves: boolean;
  readonly spiffeId: string;
}

/** What follows from an identity. An unknown kind, and an identity that contradicts itself, is refused by issuer and verifier alike. */
export function rulesOf(identity: Identity): KindRules {
  const rules = kinds.get(identity.kind);
  if (!rules) throw new PkiError('wrong_kind', 'the identity is of no known kind');
  if (!isClusterName(identity.cluster)) throw new PkiError('bad_request', 'the identity names no valid cluster');
  if (identity.name.length === 0 || identity.name.length > MAX_NAME_LENGTH)
    throw new PkiError('bad_request', `a name has 1 to ${MAX_NAME_LENGTH} characters`);
  if ((identity.kind === Identity_Kind.SESSION) !== (identity.route !== undefined)) {
    throw new PkiError('bad_request', 'a session certificate has a route, and no other certificate has one');
  }
  return {
    authority: rules.authority,
    serves: rules.serves,
    spiffeId: `spiffe://${identity.cluster}/${rules.room}/${encodeName(identity.name)}`,
  };
}

const MAX_NAME_LENGTH = 256;

export function authorityUri(cluster: string, kind: AuthorityKind): string {
  return `spiffe://${cluster}/ca/${kind}`;
}

/** Whose authority a CA certificate is, by its own name; undefined where it is none of ours. */
export function authorityOfUris(uris: readonly string[]): { readonly kind: AuthorityKind; readonly cluster: string } | undefined {
  const match = uris.length === 1 ? /^spiffe:\/\/([^/]+)\/ca\/(host|user)$/.exec(uris[0] ?? '') : null;
  const [, cluster = '', kind] = match ?? [];
  return (kind === 'host' || kind === 'user') && isClusterName(cluster) ? { kind, cluster } : undefined;
}

export function isClusterName(cluster: string): boolean {
  return /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(cluster);
}

/** A lone surrogate has no UTF-8 form, and so no name that two programs would write alike. */
function encodeName(name: string): string {
  if (!name.isWellFormed()) throw new PkiError('bad_request', 'a name must be well-formed text');
  return encodeURIComponent(name);
}
