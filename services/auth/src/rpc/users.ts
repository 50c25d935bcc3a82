import type { Handlers, TraitValues, UsersService } from '@postern/api';
import type { Traits } from '@postern/rbac';
import { type PersonDeps, personOf } from '#administration/person.ts';
import { identified } from '#rpc/identified.ts';
import { createUser, type UserDeps } from '#users/create-user.ts';
import { resetPassword } from '#users/reset-password.ts';
import { updateUser } from '#users/update-user.ts';

export function usersHandlers(deps: PersonDeps & UserDeps): Handlers<typeof UsersService> {
  return {
    createUser: async (request, context) => {
      const person = await personOf(deps, identified(context));
      const { name, roles, password } = request;
      await createUser(deps, { person, name, roles, password, traits: toTraits(request.traits) });
      return {};
    },
    updateUser: async (request, context) => {
      const person = await personOf(deps, identified(context));
      await updateUser(deps, { person, name: request.name, setRoles: request.setRoles, setTraits: toTraits(request.setTraits) });
      return {};
    },
    resetPassword: async (request, context) => {
      const person = await personOf(deps, identified(context));
      await resetPassword(deps, { person, name: request.name, password: request.password });
      return {};
    },
  };
}

function toTraits(traits: Readonly<Record<string, TraitValues>>): Traits {
  return Object.fromEntries(Object.entries(traits).map(([name, { values }]) => [name, values]));
}
