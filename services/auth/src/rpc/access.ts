import type { AccessService, Handlers } from '@postern/api';
import { explainAccess } from '#access/explain-access.ts';
import { type PersonDeps, personOf } from '#administration/person.ts';
import { identified } from '#rpc/identified.ts';

export function accessHandlers(deps: PersonDeps): Handlers<typeof AccessService> {
  return {
    explainAccess: async (request, context) => {
      const person = await personOf(deps, identified(context));
      const { user, resourceKind, resourceName, principal } = request;
      const { allowed, decision, steps } = await explainAccess(deps, person, { user, kind: resourceKind, name: resourceName, principal });
      return { allowed, decision, steps: [...steps] };
    },
  };
}
