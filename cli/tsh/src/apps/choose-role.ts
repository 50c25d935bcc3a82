import { PosternError } from '@postern/api/errors';
import type { ApplicationRole, PartitionId } from '@postern/aws';
import { applicationRoles, resolveRole } from '#apps/interim-roles.ts';
import { table } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';
import type { VisibleApp } from '#apps/visible-apps.ts';

/** Which IAM role is meant: the one that is asked for, or the only one that is granted. It is never guessed. */
export function chooseRole(app: VisibleApp, asked: string | undefined): ApplicationRole {
  const accountId = app.labels['aws_account_id'];
  // Auth lists the application's own partition alone.
  const partition = partitionIn(app.allowed[0]);
  const roles = applicationRoles({ arns: app.allowed, partition, ...(accountId === undefined ? {} : { accountId }) });
  const chosen = resolveRole(asked, roles);
  if (!('refusal' in chosen)) return chosen;
  if (chosen.code === 'none_allowed')
    throw new PosternError(
      'denied',
      `none of your roles grants an IAM role on application "${app.name}": whoever edits the cluster's roles decides that, with aws_role_arns`,
    );
  const choice = chosen.roles.length === 0 ? '' : `\n\n${rolesTable(chosen.roles)}\n`;
  if (chosen.code === 'several') throw new UsageError(`--aws-role is missing: choose one of the roles below${choice}`);
  const code = chosen.code === 'unknown' ? 'not_found' : 'bad_request';
  throw new PosternError(code, `--aws-role: ${chosen.refusal}${choice}`);
}

function partitionIn(arn = ''): PartitionId {
  return (arn.split(':')[1] ?? 'aws') as PartitionId;
}

export function rolesTable(roles: readonly ApplicationRole[]): string {
  const rows = roles.map(({ name, arn }) => [name, arn]);
  return `Available AWS roles:\n${table(['Role Name', 'Role ARN'], rows)}`;
}
