import type { AdminRule, Role } from '#model.ts';
import { maxSessionTtlMs } from '#session-options.ts';

const readWrite = ['list', 'create', 'read', 'update', 'delete'];
const readOnly = ['list', 'read'];

const administered: readonly AdminRule[] = [
  { resources: ['user', 'role', 'token', 'lock', 'db', 'app', 'cluster_auth_preference'], verbs: readWrite },
  { resources: ['auth_connector', 'github', 'oidc', 'saml', 'cluster_networking_config', 'session_recording_config'], verbs: readWrite },
  { resources: ['db_server', 'app_server', 'proxy', 'auth_server'], verbs: [...readOnly, 'delete'] },
  { resources: ['cert_authority'], verbs: ['list', 'readnosecrets', 'rotate'] },
];

/**
 * The roles that every new cluster has, as in Teleport with what concerns us: access reaches everything under the
 * principals in the user's own traits and reads no audit; editor administers and reaches nothing; auditor reads audit.
 */
export const presetRoles: readonly Role[] = [
  {
    name: 'access',
    version: 'v7',
    allow: {
      dbLabels: { '*': ['*'] },
      appLabels: { '*': ['*'] },
      dbUsers: ['{{internal.db_users}}'],
      awsRoleArns: ['{{internal.aws_role_arns}}'],
    },
    deny: {},
    options: { maxSessionTtlMs },
  },
  { name: 'editor', version: 'v7', allow: { rules: administered }, deny: {}, options: { maxSessionTtlMs } },
  {
    name: 'auditor',
    version: 'v7',
    allow: { rules: [{ resources: ['event', 'session'], verbs: readOnly }] },
    deny: {},
    options: { maxSessionTtlMs },
  },
];
