import { type ApplicationRole, readRoleArn } from '#roles/application-roles.ts';

export type RoleChoiceRefusal = {
  readonly refusal: string;
  readonly code: 'none_allowed' | 'several' | 'ambiguous' | 'unknown' | 'not_an_arn';
  /** those to choose from, for a table */
  readonly roles: readonly ApplicationRole[];
};

/**
 * The role that a user means by a name, an ARN or nothing, among those that applicationRoles gives. One role is taken unasked; a name is its
 * last segment, and where several accounts have it the ARN decides.
 */
export function resolveRole(asked: string | undefined, roles: readonly ApplicationRole[]): ApplicationRole | RoleChoiceRefusal {
  if (asked === undefined || asked === '') return onlyRole(roles);
  if (asked.startsWith('arn:')) {
    const exact = roles.find(({ arn }) => arn === asked);
    if (exact !== undefined) return exact;
    const read = readRoleArn(asked);
    if ('refusal' in read) return { refusal: read.refusal, code: 'not_an_arn', roles };
    return unknown(asked, roles);
  }
  const named = roles.filter(({ name, arn }) => name === asked || arn.endsWith(`:role/${asked}`) || arn.endsWith(`:${asked}`));
  const [role, ...others] = named;
  if (role === undefined) return unknown(asked, roles);
  if (others.length === 0) return role;
  return {
    refusal: `there are ${named.length} roles named ${JSON.stringify(asked)}; give the ARN of one: ${listed(named)}`,
    code: 'ambiguous',
    roles: named,
  };
}

function onlyRole(roles: readonly ApplicationRole[]): ApplicationRole | RoleChoiceRefusal {
  const [role, ...others] = roles;
  if (role === undefined) return noneAllowed(roles);
  if (others.length === 0) return role;
  return {
    refusal: `there are ${roles.length} AWS roles to choose from; give one with --aws-role: ${listed(roles)}`,
    code: 'several',
    roles,
  };
}

function noneAllowed(roles: readonly ApplicationRole[]): RoleChoiceRefusal {
  return {
    refusal: 'none of your roles allows an AWS role on this application; an administrator grants them with aws_role_arns',
    code: 'none_allowed',
    roles,
  };
}

function unknown(asked: string, roles: readonly ApplicationRole[]): RoleChoiceRefusal {
  if (roles.length === 0) return noneAllowed(roles);
  const shown = JSON.stringify(asked.slice(0, 200));
  return { refusal: `AWS role ${shown} is not found among those you may use: ${listed(roles)}`, code: 'unknown', roles };
}

/** A refusal is a line; the table has the rest. */
const maxListed = 10;

function listed(roles: readonly ApplicationRole[]): string {
  const shown = roles.slice(0, maxListed).map(({ arn }) => arn);
  return [...shown, ...(roles.length > maxListed ? [`and ${roles.length - maxListed} more`] : [])].join(', ');
}
