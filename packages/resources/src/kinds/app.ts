import { limits } from '@postern/limits';
import { z } from 'zod';

import { isVoid, kept } from '#kinds/fields.ts';

/** Hosts under AWS's domains that are a customer's, each with what its requests are signed for: an API of API Gateway, a domain of OpenSearch. */
export const ownHosts = z
  .array(z.strictObject({ host: z.string().max(253), service: z.string().max(64), region: z.string().max(32) }))
  .max(limits.ownHostsPerApp);

/** Values are judged by validateApp, which the agents' own files go through as well. */
export const appSpec = z.strictObject({
  uri: z.string().max(2048).optional(),
  public_addr: z.string().max(255).optional(),
  description: z.string().max(1024).optional(),
  cloud: z.enum(['AWS', '']).optional(),
  aws: z
    .strictObject({ external_id: z.string().optional(), own_hosts: ownHosts.optional(), roles_anywhere_profile: kept.optional() })
    .nullable()
    .optional(),
  dynamic_labels: z.unknown().refine(isVoid, { error: 'labels from commands are not supported; write them in metadata.labels' }).optional(),
  insecure_skip_verify: kept.optional(),
  rewrite: kept.optional(),
  cors: kept.optional(),
  required_apps: kept.optional(),
  integration: z.unknown().refine(isVoid, { error: 'integrations are not supported' }).optional(),
  identity_center: kept.optional(),
  tcp_ports: kept.optional(),
  user_groups: kept.optional(),
  use_any_proxy_public_addr: kept.optional(),
  mcp: kept.optional(),
});
export type AppSpec = z.infer<typeof appSpec>;
