import type { ApplicationRole, ApplicationRolesInput, RoleChoiceRefusal } from '@postern/aws';
export function applicationRoles({ arns, accountId }: ApplicationRolesInput): readonly ApplicationRole[] {
  return [...new Set(arns)]
    .flatMap((arn) => {
      const [, partition, id, path] = /^arn:([a-z-]+):iam::(\d{12}):role\/(.+)$/.exec(arn) ?? [];
      if (partition === undefined || id === undefined || path === undefined || (accountId !== undefined && id !== accountId)) return [];
      return [{ arn, name: path.split('/').at(-1) ?? path, accountId: id, partition: partition as ApplicationRole['partition'] }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
export function resolveRole(asked: string | undefined, roles: readonly ApplicationRole[]): ApplicationRole | RoleChoiceRefusal {
  if (roles.length === 0) return { refusal: 'none', code: 'none_allowed', roles };
  const found = asked === undefined ? roles : roles.filter((role) => role.arn === asked || role.name === asked);
  const [only, ...more] = found;
  if (only !== undefined && more.length === 0) return only;
  if (asked === undefined) return { refusal: 'several', code: 'several', roles };
  if (only === undefined) return { refusal: `you may not use ${asked}`, code: 'unknown', roles };
  return { refusal: `${asked} is the name of several roles: write the ARN`, code: 'ambiguous', roles: found };
}
