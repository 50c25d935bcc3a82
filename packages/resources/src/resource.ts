import type { AppSpec } from '#kinds/app.ts';
import type { AppServerSpec, CertAuthoritySpec, ClusterAuthPreferenceSpec, DbServerSpec, ProxySpec } from '#kinds/cluster.ts';
import type { DatabaseSpec } from '#kinds/database.ts';
import type { Kind } from '#kinds/kind.ts';
import type { LockSpec } from '#kinds/lock.ts';
import type { Metadata } from '#kinds/metadata.ts';
import type { RoleSpec } from '#kinds/role.ts';
import type { TokenSpec } from '#kinds/token.ts';
import type { UserSpec } from '#kinds/user.ts';

/** What each kind's spec holds. Field names and shapes are Teleport's, as `tctl get --format=json` prints them. */
export interface Specs {
  readonly role: RoleSpec;
  readonly user: UserSpec;
  readonly token: TokenSpec;
  readonly lock: LockSpec;
  readonly db: DatabaseSpec;
  readonly app: AppSpec;
  readonly db_server: DbServerSpec;
  readonly app_server: AppServerSpec;
  readonly proxy: ProxySpec;
  readonly cert_authority: CertAuthoritySpec;
  readonly cluster_auth_preference: ClusterAuthPreferenceSpec;
}

export interface ResourceOf<K extends Kind> {
  readonly kind: K;
  readonly sub_kind?: string | undefined;
  readonly version: string;
  readonly metadata: Metadata;
  readonly spec: Specs[K];
  /** What Teleport prints of a resource's state; kept, never acted upon. */
  readonly status?: unknown;
}
/** Any resource; `resource.kind === 'role'` narrows `resource.spec`. */
export type Resource = { [K in Kind]: ResourceOf<K> }[Kind];
