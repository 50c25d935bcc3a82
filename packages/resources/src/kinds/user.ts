import { z } from 'zod';

import { limits } from '@postern/limits';
import { kept, name, traits, unenforced } from '#kinds/fields.ts';

/** The status that Teleport prints; a lock made here is a resource of its own and acts at once. */
const status = z.looseObject({ is_locked: unenforced([], 'a user is locked with `tctl lock --user=NAME`, not by a resource').optional() });

export const userSpec = z.strictObject({
  // A role that is added by hand to a list that has it already.
  roles: z
    .array(name)
    .max(limits.rolesPerUser)
    .overwrite((roles) => [...new Set(roles)])
    .optional(),
  traits: traits.nullable().optional(),
  status: status.nullable().optional(),
  created_by: kept.optional(),
  expires: unenforced([], 'write the end of a user in metadata.expires').optional(),
  local_auth: unenforced([], 'passwords and second factors are not taken from a resource; use `tctl users reset NAME`').optional(),
  oidc_identities: kept.optional(),
  saml_identities: kept.optional(),
  github_identities: kept.optional(),
  trusted_device_ids: kept.optional(),
});
export type UserSpec = z.infer<typeof userSpec>;
