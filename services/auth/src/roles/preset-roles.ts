import { presetRoles, type Role, type RoleConditions } from '@postern/rbac';
import type { ResourceJson } from '#resources/stored-resource.ts';

/** The roles of a new cluster as resources. They are written once: what an administrator makes of them stays. */
export function presetRoleResources(): readonly ResourceJson[] {
  return presetRoles.map(toResource);
}

function toResource(role: Role): ResourceJson {
  const { maxSessionTtlMs, lock } = role.options;
  return {
    kind: 'role',
    version: role.version,
    metadata: { name: role.name, description: descriptions[role.name] ?? '', labels: { 'teleport.internal/resource-type': 'preset' } },
    spec: {
      options: {
        ...(maxSessionTtlMs === undefined ? {} : { max_session_ttl: `${maxSessionTtlMs / 1000}s` }),
        ...(lock === undefined ? {} : { lock }),
      },
      allow: conditions(role.allow),
      deny: conditions(role.deny),
    },
  };
}

const descriptions: Readonly<Record<string, string>> = {
  access: 'Access cluster resources',
  editor: 'Edit cluster configuration',
  auditor: 'Review cluster events',
};

function conditions(from: RoleConditions): Record<string, unknown> {
  const written = {
    db_labels: from.dbLabels,
    app_labels: from.appLabels,
    db_users: from.dbUsers,
    aws_role_arns: from.awsRoleArns,
    rules: from.rules,
  };
  return Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined));
}
