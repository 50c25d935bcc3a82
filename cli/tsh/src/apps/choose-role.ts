import { PosternError } from '@postern/api/errors';
import { applicationRoles, type ApplicationRole, consolePartitionOf, resolveRole } from '@postern/aws';
import { table } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';
import type { VisibleApp } from '#apps/visible-apps.ts';

/** Which IAM role is meant: the one that is asked for, or the only one that is granted. It is never guessed. */
export function chooseRole(app: VisibleApp, asked: string | undefined): ApplicationRole {
  const accountId = app.labels['aws_account_id'];
  const partition = consolePartitionOf(app.uri) ?? 'aws';
  const { allowed: arns, denied } = app;
  const roles = applicationRoles({ arns, denied, partition, ...(accountId === undefined ? {} : { accountId }) });
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

export function rolesTable(roles: readonly ApplicationRole[]): string {
  const rows = roles.map(({ name, arn }) => [name, arn]);
  return `Available AWS roles:\n${table(['Role Name', 'Role ARN'], rows)}`;
}
