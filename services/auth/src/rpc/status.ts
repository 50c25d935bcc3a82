import type { Handlers, StatusService } from '@postern/api';
import { type PersonDeps, personOf } from '#administration/person.ts';
import type { AuditLog } from '#audit/audit-log.ts';
import { type Authorities, hostCaPins } from '#authorities/authorities.ts';
import { identified } from '#rpc/identified.ts';

export function statusHandlers(
  deps: PersonDeps & { readonly authorities: Authorities; readonly version: string; readonly log: Pick<AuditLog, 'alarms'> },
): Handlers<typeof StatusService> {
  return {
    getStatus: async (_request, context) => {
      await personOf(deps, identified(context));
      const { cluster } = deps.authorities;
      const authorities = deps.authorities.describe().map(({ kind, rotation, algorithm, status, pin }) => ({
        type: kind,
        rotation,
        algorithm,
        status,
        fingerprint: pin,
      }));
      return { cluster, version: deps.version, caPins: [...hostCaPins(deps.authorities)], authorities, alarms: [...deps.log.alarms()] };
    },
  };
}
