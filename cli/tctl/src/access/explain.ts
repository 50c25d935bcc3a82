import { AccessService, callUnary } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { UsageError } from '@postern/terminal/usage-error';
import { type Format, print } from '@postern/terminal/output';

export interface ExplainFlags {
  readonly user: string;
  readonly db?: string;
  readonly dbUser?: string;
  readonly app?: string;
  readonly awsRole?: string;
  readonly format: Format;
}

/** Answers a question: exit code 0 whichever way it is decided. */
export async function explain(options: AdminOptions, flags: ExplainFlags): Promise<void> {
  const request = { user: flags.user, ...askedOf(flags) };
  const found = await asAdministrator(options, ({ client }) => callUnary(client, AccessService.explainAccess, request));
  const { allowed, decision, steps } = found;
  await print(flags.format, { allowed, decision, steps }, () => {
    return [`${allowed ? 'allowed' : 'denied'}: ${decision}`, ...steps.map((step) => `  - ${step}`)].join('\n');
  });
}

function askedOf({ db, dbUser, app, awsRole }: ExplainFlags) {
  if (db !== undefined && app !== undefined) throw new UsageError('--db and --app exclude each other');
  if (db !== undefined && awsRole !== undefined) throw new UsageError('--aws-role belongs to --app; write --db-user');
  if (app !== undefined && dbUser !== undefined) throw new UsageError('--db-user belongs to --db; write --aws-role');
  if (db !== undefined) return { resourceKind: 'db', resourceName: db, principal: dbUser ?? '' };
  if (app !== undefined) return { resourceKind: 'app', resourceName: app, principal: awsRole ?? '' };
  throw new UsageError('say to what: --db or --app');
}
