import { z } from 'zod';

import { name, time, unenforced } from '#kinds/fields.ts';

const noEffect = unenforced([], 'nothing here is locked by it, so the lock would have no effect; lock a user, a role or a server_id');

/** Where several fields are given, all of them must match. `node` is the old name of `server_id`. */
const target = z
  .strictObject({
    user: name.optional(),
    role: name.optional(),
    server_id: name.optional(),
    node: name.optional(),
    login: noEffect.optional(),
    mfa_device: noEffect.optional(),
    windows_desktop: noEffect.optional(),
    access_request: noEffect.optional(),
    device: noEffect.optional(),
    bot_instance_id: noEffect.optional(),
    join_token: noEffect.optional(),
  })
  .refine((value) => value.user !== undefined || value.role !== undefined || value.server_id !== undefined || value.node !== undefined, {
    error: 'must name a user, a role or a server_id',
  });

export const lockSpec = z.strictObject({
  target,
  message: z.string().max(1024).optional(),
  expires: time.nullable().optional(),
  created_at: time.optional(),
  created_by: z.string().optional(),
});
export type LockSpec = z.infer<typeof lockSpec>;
