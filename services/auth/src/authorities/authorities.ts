import { type Authority, type AuthorityKind, caPin } from '@postern/pki';

/** The cluster's two authorities: the one that signs now, and every certificate that is trusted. */
export interface Authorities {
  readonly cluster: string;
  readonly clusterId: string;
  signer(kind: AuthorityKind): Authority;
  trustedPems(kind: AuthorityKind): readonly string[];
  /** What `tctl status` and `tctl get cert_authority` show; no key is in it. */
  describe(): readonly AuthorityView[];
}

export interface AuthorityView {
  readonly kind: AuthorityKind;
  readonly rotation: string;
  readonly algorithm: string;
  readonly status: 'active' | 'trusted';
  readonly certificatePem: string;
  readonly pin: string;
}

export function hostCaPins(authorities: Authorities): readonly string[] {
  return authorities.trustedPems('host').map(caPin);
}
