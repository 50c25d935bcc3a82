import { z } from 'zod';

import { appSpec } from '#kinds/app.ts';
import { appServerSpec, certAuthoritySpec, clusterAuthPreferenceSpec, dbServerSpec, proxySpec } from '#kinds/cluster.ts';
import { databaseSpec } from '#kinds/database.ts';
import { kept } from '#kinds/fields.ts';
import { type Kind, kinds } from '#kinds/kind.ts';
import { lockSpec } from '#kinds/lock.ts';
import { metadata } from '#kinds/metadata.ts';
import { roleSpec } from '#kinds/role.ts';
import { tokenSpec } from '#kinds/token.ts';
import { userSpec } from '#kinds/user.ts';

const specs = {
  role: roleSpec,
  user: userSpec,
  token: tokenSpec,
  lock: lockSpec,
  db: databaseSpec,
  app: appSpec,
  db_server: dbServerSpec,
  app_server: appServerSpec,
  proxy: proxySpec,
  cert_authority: certAuthoritySpec,
  cluster_auth_preference: clusterAuthPreferenceSpec,
} as const satisfies Readonly<Record<Kind, z.ZodType>>;

const made = new Map<Kind, z.ZodType>();

/** The whole of a resource: strict at every level, since a misspelt field that is passed over may be a lost deny. */
export function schemaOf(kind: Kind): z.ZodType {
  const known = made.get(kind);
  if (known !== undefined) return known;
  const schema = z.strictObject({
    kind: z.literal(kind),
    sub_kind: z.string().optional(),
    version: z.enum(kinds[kind].versions),
    metadata,
    spec: specs[kind],
    status: kept.optional(),
  });
  made.set(kind, schema);
  return schema;
}
