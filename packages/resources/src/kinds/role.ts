import { z } from 'zod';

import { duration, kept, labelSelector, unenforced } from '#kinds/fields.ts';

const texts = z.array(z.string().min(1).max(2048)).max(1000);
const expressionRefused =
  'expressions over labels are not supported, and ignoring one would grant more than was meant; use labels with lists, globs or ^…$';

const rule = z.strictObject({
  resources: z.array(z.string().min(1)),
  verbs: z.array(z.string().min(1)),
  where: unenforced(
    [],
    'conditions are not supported, and ignoring one would grant more than was meant; leave the rule out or grant it whole',
  ).optional(),
  actions: kept.optional(),
});

/** What concerns Postern is checked; the rest of Teleport's fields speaks of servers, Kubernetes and desktops and is kept. */
const conditions = z.strictObject({
  db_labels: labelSelector.nullable().optional(),
  app_labels: labelSelector.nullable().optional(),
  db_users: texts.nullable().optional(),
  aws_role_arns: texts.nullable().optional(),
  rules: z.array(rule).nullable().optional(),
  db_labels_expression: unenforced([], expressionRefused).optional(),
  app_labels_expression: unenforced([], expressionRefused).optional(),
  account_assignments: kept.optional(),
  azure_identities: kept.optional(),
  cluster_labels: kept.optional(),
  cluster_labels_expression: kept.optional(),
  db_names: kept.optional(),
  db_permissions: kept.optional(),
  db_roles: kept.optional(),
  db_service_labels: kept.optional(),
  db_service_labels_expression: kept.optional(),
  desktop_groups: kept.optional(),
  gcp_service_accounts: kept.optional(),
  github_permissions: kept.optional(),
  group_labels: kept.optional(),
  group_labels_expression: kept.optional(),
  host_groups: kept.optional(),
  host_sudoers: kept.optional(),
  impersonate: kept.optional(),
  join_sessions: kept.optional(),
  kubernetes_groups: kept.optional(),
  kubernetes_labels: kept.optional(),
  kubernetes_labels_expression: kept.optional(),
  kubernetes_resources: kept.optional(),
  kubernetes_users: kept.optional(),
  logins: kept.optional(),
  mcp: kept.optional(),
  node_labels: kept.optional(),
  node_labels_expression: kept.optional(),
  request: kept.optional(),
  require_session_join: kept.optional(),
  review_requests: kept.optional(),
  spiffe: kept.optional(),
  windows_desktop_labels: kept.optional(),
  windows_desktop_labels_expression: kept.optional(),
  windows_desktop_logins: kept.optional(),
  workload_identity_labels: kept.optional(),
  workload_identity_labels_expression: kept.optional(),
});

const options = z.strictObject({
  max_session_ttl: duration.optional(),
  lock: z.enum(['strict', 'best_effort', '']).optional(),
  // What an application does with AWS operations that hand out keys of their own: refuse them, or cut them to the session's rest.
  aws_credential_operations: z.enum(['deny', 'cap', '']).optional(),
  require_session_mfa: unenforced(
    ['no', 'off', 'false'],
    'a second factor for each session is not supported yet; a role that demands it would be taken for stricter than it is',
  ).optional(),
  pin_source_ip: unenforced(
    ['no', 'false'],
    'binding a session to an address is not supported; a role that demands it would be taken for stricter than it is',
  ).optional(),
  device_trust_mode: unenforced(
    ['off', 'optional'],
    'trusted devices are not supported; a role that demands them would be taken for stricter than it is',
  ).optional(),
  client_idle_timeout: unenforced(['never'], 'an idle time-out is not supported; shorten max_session_ttl instead').optional(),
  request_access: unenforced(
    ['optional'],
    'access requests are not supported; a role that demands them would be taken for stricter than it is',
  ).optional(),
  // Sessions always end with their certificate here, whatever this says.
  disconnect_expired_cert: kept.optional(),
  cert_extensions: kept.optional(),
  cert_format: kept.optional(),
  create_db_user: kept.optional(),
  create_db_user_mode: kept.optional(),
  create_desktop_user: kept.optional(),
  create_host_user: kept.optional(),
  create_host_user_default_shell: kept.optional(),
  create_host_user_mode: kept.optional(),
  desktop_clipboard: kept.optional(),
  desktop_directory_sharing: kept.optional(),
  enhanced_recording: kept.optional(),
  forward_agent: kept.optional(),
  idp: kept.optional(),
  max_connections: kept.optional(),
  max_kubernetes_connections: kept.optional(),
  max_sessions: kept.optional(),
  mfa_verification_interval: kept.optional(),
  permit_x11_forwarding: kept.optional(),
  port_forwarding: kept.optional(),
  record_session: kept.optional(),
  request_prompt: kept.optional(),
  ssh_file_copy: kept.optional(),
  ssh_port_forwarding: kept.optional(),
});

export const roleSpec = z.strictObject({
  allow: conditions.nullable().optional(),
  deny: conditions.nullable().optional(),
  options: options.nullable().optional(),
});
export type RoleSpec = z.infer<typeof roleSpec>;
export type RoleConditionsSpec = z.infer<typeof conditions>;
