import { isAccountId } from '#endpoints/hosts.ts';
import { partitionOf } from '#endpoints/partitions.ts';
import type { Refusal } from '#refusals/refusal.ts';

export type RoleArn = {
  readonly arn: string;
  /** the last segment: unique in an account whatever the path, without regard to case */
  readonly name: string;
  readonly accountId: string;
  /** every way an access rule may write this role: as asked for, ARN, `role/Path/Name`, `Path/Name`, `Name`; each once */
  readonly spellings: readonly string[];
};

const segment = '[\\w+=,.@-]';
const resourcePattern = new RegExp(`^(?:${segment}+/)*(${segment}{1,64})$`);

/**
 * What a user asks for (`db_user`) as the IAM role that will be assumed. Accepts a full role ARN of the resource's own partition and
 * account, `role/Path/Name`, `Path/Name` and `Name`. Everything else is refused: above all a role of the same name in another account.
 */
export function roleArn(input: { readonly principal: string; readonly region: string; readonly accountId: string }): RoleArn | Refusal {
  const { principal, region, accountId } = input;
  const partition = partitionOf(region);
  if (partition === undefined) return { refusal: `no AWS partition has a region ${JSON.stringify(region)}` };
  if (!isAccountId(accountId)) return { refusal: 'the account id of the resource has not twelve digits' };
  if (principal.length === 0 || principal.length > 1024)
    return { refusal: 'a role name has 1 to 64 characters, with its path at most 512' };
  const path = principal.startsWith('arn:')
    ? pathOfArn({ arn: principal, partition: partition.id, accountId })
    : principal.replace(/^role\//, '');
  if (typeof path !== 'string') return path;
  const name = resourcePattern.exec(path)?.[1];
  if (name === undefined || path.length > 512 + 64)
    return { refusal: `${JSON.stringify(principal.slice(0, 100))} is not the name of an IAM role` };
  const arn = `arn:${partition.id}:iam::${accountId}:role/${path}`;
  return { arn, name, accountId, spellings: [...new Set([principal, arn, `role/${path}`, path, name])] };
}

function pathOfArn(input: { readonly arn: string; readonly partition: string; readonly accountId: string }): string | Refusal {
  const shown = JSON.stringify(input.arn.slice(0, 200));
  const match = /^arn:([a-z-]+):([a-z0-9-]+):([a-z0-9-]*):(\d*):([^:]+)$/.exec(input.arn);
  if (match === null) return { refusal: `${shown} is not an ARN of an IAM role` };
  const [, partition, service, region, account, resource = ''] = match;
  if (service === 'sts') return { refusal: `${shown} is a session of a role, not a role: use its arn:…:iam::…:role/… form` };
  if (service !== 'iam' || region !== '' || !resource.startsWith('role/')) return { refusal: `${shown} is not an ARN of an IAM role` };
  if (partition !== input.partition)
    return { refusal: `the role ${shown} is in partition ${partition}, the resource in ${input.partition}` };
  if (account !== input.accountId) return { refusal: `the role ${shown} is in account ${account}, the resource in ${input.accountId}` };
  return resource.slice('role/'.length);
}
