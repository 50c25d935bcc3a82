import { AccessService, callUnary } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { type Format, print } from '@postern/terminal/output';

export interface ExplainFlags {
  readonly user: string;
  readonly db: string;
  readonly dbUser?: string;
  readonly format: Format;
}

/** Answers a question: exit code 0 whichever way it is decided. */
export async function explain(options: AdminOptions, flags: ExplainFlags): Promise<void> {
  const request = { user: flags.user, resourceKind: 'db', resourceName: flags.db, principal: flags.dbUser ?? '' };
  const found = await asAdministrator(options, ({ client }) => callUnary(client, AccessService.explainAccess, request));
  const { allowed, decision, steps } = found;
  await print(flags.format, { allowed, decision, steps }, () => {
    return [`${allowed ? 'allowed' : 'denied'}: ${decision}`, ...steps.map((step) => `  - ${step}`)].join('\n');
  });
}
