import { isAccountId } from '#endpoints/hosts.ts';
import { type PartitionId, partitions } from '#endpoints/partitions.ts';
import type { Refusal } from '#refusals/refusal.ts';

export type ApplicationRole = {
  readonly arn: string;
  /** the last segment: unique in an account whatever the path */
  readonly name: string;
  readonly accountId: string;
  readonly partition: PartitionId;
};

export type ApplicationRolesInput = {
  /** what the user's roles grant, templates filled in */
  readonly arns: readonly string[];
  /** what they deny: a denied ARN, or `*`, takes the role away however its letters are cased */
  readonly denied?: readonly string[];
  /** the application's label aws_account_id; absent: any account */
  readonly accountId?: string;
  readonly partition: PartitionId;
};

/**
 * The roles that a user may choose from on an application: sorted by name and ARN, each once, of the application's partition and account. What
 * is not the ARN of a role is not among them, and takes nothing from the others: see readRoleArn for the reason.
 */
export function applicationRoles({ arns, denied = [], accountId, partition }: ApplicationRolesInput): readonly ApplicationRole[] {
  const no = new Set(denied.map((arn) => arn.toLowerCase()));
  if (no.has('*')) return [];
  const roles = new Map<string, ApplicationRole>();
  for (const arn of arns) {
    const role = readRoleArn(arn);
    if ('refusal' in role || role.partition !== partition || no.has(arn.toLowerCase())) continue;
    if (accountId === undefined || role.accountId === accountId) roles.set(arn, role);
  }
  return [...roles.values()].toSorted((a, b) => compare(a.name, b.name) || compare(a.arn, b.arn));
}

/**
 * The ARN of an IAM role, in full. `arn:aws:iam:123456789000:role/x`, which Teleport's guide has in its examples, lacks a colon and is no ARN: a
 * resource may hold it, since the guide must work as it is typed, but nobody can assume it, and whoever asks for it reads how it is written.
 */
export function readRoleArn(arn: string): ApplicationRole | Refusal {
  const shown = JSON.stringify(arn.slice(0, 200));
  const [, named, accountId = '', path = ''] = arn.length > 2048 ? [] : (pattern.exec(arn) ?? []);
  const partition = partitions.find(({ id }) => id === named)?.id;
  if (partition !== undefined && isAccountId(accountId)) {
    return { arn, name: path.slice(path.lastIndexOf('/') + 1), accountId, partition };
  }
  const [, head, account, role] = /^(arn:[a-z-]+:iam):(\d{12}):(role\/.+)$/.exec(arn) ?? [];
  if (head !== undefined)
    return { refusal: `${shown} is not the ARN of a role: between iam and the account are two colons, ${head}::${account}:${role}` };
  if (/^arn:[a-z-]+:sts:/.test(arn)) return { refusal: `${shown} is a session of a role, not a role: use its arn:…:iam::…:role/… form` };
  return { refusal: `${shown} is not the ARN of an IAM role, arn:aws:iam::123456789012:role/NAME` };
}

const pattern = /^arn:([a-z-]+):iam::(\d{12}):role\/((?:[\w+=,.@-]+\/)*[\w+=,.@-]{1,64})$/;

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
