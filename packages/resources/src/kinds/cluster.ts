import { z } from 'zod';

import { appSpec } from '#kinds/app.ts';
import { databaseSpec } from '#kinds/database.ts';
import { isVoid, kept } from '#kinds/fields.ts';
import { metadata } from '#kinds/metadata.ts';

/** Kinds that the cluster writes of itself, and its one setting. */

const host = {
  version: z.string().optional(),
  hostname: z.string().optional(),
  host_id: z.string().min(1),
  node_name: z.string().optional(),
  proxy_ids: z.array(z.string()).optional(),
  rotation: kept.optional(),
};
const inner = { kind: z.string().optional(), version: z.string().optional(), metadata };

export const dbServerSpec = z.strictObject({
  ...host,
  database: z.strictObject({ ...inner, spec: databaseSpec, status: kept.optional() }),
});
export type DbServerSpec = z.infer<typeof dbServerSpec>;

export const appServerSpec = z.strictObject({ ...host, app: z.strictObject({ ...inner, spec: appSpec, status: kept.optional() }) });
export type AppServerSpec = z.infer<typeof appServerSpec>;

export const proxySpec = z.strictObject({
  addr: z.string().optional(),
  public_addr: z.string().optional(),
  public_addrs: z.array(z.string()).optional(),
  own_addr: z.string().optional(),
  hostname: z.string().optional(),
  version: z.string().optional(),
});
export type ProxySpec = z.infer<typeof proxySpec>;

const keySet = z.strictObject({
  tls: z.array(z.strictObject({ cert: z.string(), key: z.string().optional(), key_type: kept.optional() })),
  ssh: kept.optional(),
  jwt: kept.optional(),
});

export const certAuthoritySpec = z.strictObject({
  type: z.enum(['host', 'user']),
  cluster_name: z.string().min(1),
  active_keys: keySet,
  additional_trusted_keys: keySet.optional(),
  rotation: kept.optional(),
});
export type CertAuthoritySpec = z.infer<typeof certAuthoritySpec>;

const notEnforced = z.unknown().refine(isVoid, { error: 'is not supported, and would promise a check that nobody makes' });

export const clusterAuthPreferenceSpec = z.strictObject({
  type: z.enum(['local', '']).optional(),
  second_factor: z
    .string()
    .refine((text) => text === 'off', { error: 'second factors are not supported yet; the only value is "off"' })
    .optional(),
  locking_mode: z
    .string()
    .refine((text) => text === 'best_effort' || text === '', {
      error: "the cluster's mode is best_effort; write `lock: strict` in the options of a role",
    })
    .optional(),
  disconnect_expired_cert: kept.optional(),
  allow_local_auth: kept.optional(),
  connector_name: notEnforced.optional(),
  require_session_mfa: notEnforced.optional(),
  device_trust: notEnforced.optional(),
  message_of_the_day: z.string().max(4096).optional(),
  default_session_ttl: z.string().optional(),
});
export type ClusterAuthPreferenceSpec = z.infer<typeof clusterAuthPreferenceSpec>;
