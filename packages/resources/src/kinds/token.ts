import { z } from 'zod';

import { isVoid, kept, labels } from '#kinds/fields.ts';

const services = ['db', 'app', 'proxy'] as const;
export type TokenRole = (typeof services)[number];

const role = z
  .string()
  .refine((text) => services.some((service) => service === text.toLowerCase()), { error: `must be one of ${services.join(', ')}` });
const notJoinable = z
  .unknown()
  .refine(isVoid, { error: 'only the join method token is supported; rules of other methods would be ignored' });

export const tokenSpec = z.strictObject({
  roles: z.array(role).min(1),
  join_method: z.enum(['token', '']).optional(),
  /** Names that an agent with this token may serve as static resources, and labels that win over its own. */
  bound_names: z.strictObject({ db: z.array(z.string().min(1)).optional(), app: z.array(z.string().min(1)).optional() }).optional(),
  labels: labels.optional(),
  max_uses: z.number().int().min(1).optional(),
  suggested_labels: kept.optional(),
  suggested_agent_matcher_labels: kept.optional(),
  allow: notJoinable.optional(),
  aws_iid_ttl: notJoinable.optional(),
  bot_name: notJoinable.optional(),
});
export type TokenSpec = z.infer<typeof tokenSpec>;
