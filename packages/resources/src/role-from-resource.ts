import type { LabelSelector, Role, RoleConditions, RoleOptions } from '@postern/rbac';

import { parseDurationMs } from '#duration.ts';
import type { RoleConditionsSpec } from '#kinds/role.ts';
import type { ResourceOf } from '#resource.ts';

/** The part of a role that decisions are made of. */
export function roleFromResource(resource: ResourceOf<'role'>): Role {
  const { allow, deny, options } = resource.spec;
  const ttl = options?.max_session_ttl === undefined ? undefined : parseDurationMs(options.max_session_ttl);
  const lock = options?.lock === 'strict' || options?.lock === 'best_effort' ? options.lock : undefined;
  const credentials = options?.aws_credential_operations;
  const read: RoleOptions = {
    // Teleport prints 0s for a time-out that nobody set.
    ...(ttl === undefined || ttl === 0 ? {} : { maxSessionTtlMs: ttl }),
    ...(lock === undefined ? {} : { lock }),
    ...(credentials === 'deny' || credentials === 'cap' ? { awsCredentialOperations: credentials } : {}),
  };
  return {
    name: resource.metadata.name,
    version: resource.version,
    allow: conditions(allow ?? {}),
    deny: conditions(deny ?? {}),
    options: read,
  };
}

function conditions(spec: RoleConditionsSpec): RoleConditions {
  return {
    ...(isAbsent(spec.db_labels) ? {} : { dbLabels: selector(spec.db_labels) }),
    ...(isAbsent(spec.app_labels) ? {} : { appLabels: selector(spec.app_labels) }),
    ...(isAbsent(spec.db_users) ? {} : { dbUsers: spec.db_users }),
    ...(isAbsent(spec.aws_role_arns) ? {} : { awsRoleArns: spec.aws_role_arns }),
    ...(isAbsent(spec.rules) ? {} : { rules: spec.rules.map(({ resources, verbs }) => ({ resources, verbs })) }),
  };
}

/** Teleport prints null for a list that nobody wrote. */
function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/** A text is a list of one. fromEntries keeps a label named "__proto__" as a label. */
function selector(written: Readonly<Record<string, string | readonly string[]>>): LabelSelector {
  return Object.fromEntries(Object.entries(written).map(([key, value]) => [key, typeof value === 'string' ? [value] : value]));
}
