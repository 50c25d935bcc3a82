import type { Operation } from '@postern/store';
import { presetRoleResources } from '#roles/preset-roles.ts';
import { keys } from '#state/keys.ts';

/** What a new cluster begins with, beside its authorities. */
export function firstResources(): readonly Operation[] {
  const roles = presetRoleResources().map(
    (role): Operation => ({ kind: 'create', key: keys.role(role.metadata.name), value: JSON.stringify(role) }),
  );
  const preference = {
    kind: 'cluster_auth_preference',
    version: 'v2',
    metadata: { name: 'cluster-auth-preference' },
    spec: { type: 'local', second_factor: 'off' },
  };
  return [...roles, { kind: 'create', key: keys.authPreference, value: JSON.stringify(preference) }];
}
