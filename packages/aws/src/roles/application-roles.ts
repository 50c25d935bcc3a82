import type { PartitionId } from '#endpoints/partitions.ts';

export type ApplicationRole = {
  readonly arn: string;
  /** the last segment */
  readonly name: string;
  readonly accountId: string;
  readonly partition: PartitionId;
};

export type ApplicationRolesInput = {
  /** what the user's roles grant and do not deny, templates filled in */
  readonly arns: readonly string[];
  /** the application's label aws_account_id; absent: any account */
  readonly accountId?: string;
  readonly partition: PartitionId;
};
/** Sorted by name, each once. What is not the ARN of a role, of this partition and account, is not among them. */
export type ApplicationRoles = (input: ApplicationRolesInput) => readonly ApplicationRole[];

export type RoleChoiceRefusal = {
  readonly refusal: string;
  readonly code: 'none_allowed' | 'several' | 'ambiguous' | 'unknown' | 'not_an_arn';
  /** to be shown as a table: those to choose from */
  readonly roles: readonly ApplicationRole[];
};
export type ResolveRole = (asked: string | undefined, roles: readonly ApplicationRole[]) => ApplicationRole | RoleChoiceRefusal;
