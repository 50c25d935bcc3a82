import { type AddTokenResponse, callUnary, TokensService } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { inviteText } from '#tokens/invite-text.ts';
import { type Format, render } from '@postern/terminal/output';
import { UsageError } from '@postern/terminal/usage-error';

export interface AddTokenFlags {
  readonly type: readonly string[];
  readonly value?: string;
  readonly ttl?: number;
  readonly labels?: Record<string, string>;
  readonly dbName?: string;
  readonly dbProtocol?: string;
  readonly dbUri?: string;
  readonly appName?: string;
  readonly appUri?: string;
  readonly maxUses?: number;
  readonly format?: Format;
}
const DEFAULT_TTL_MS = 3_600_000;
const known = ['db', 'app', 'proxy'];

/** Without --format a page for people, with text the token alone. */
export async function addToken(options: AdminOptions, flags: AddTokenFlags): Promise<void> {
  const roles = flags.type.map((type) => type.toLowerCase());
  const unknown = roles.find((role) => !known.includes(role));
  if (unknown !== undefined || roles.length === 0)
    throw new UsageError(`--type: unknown type "${unknown ?? ''}": known are ${known.join(', ')}`);
  if (flags.maxUses !== undefined && !(Number.isInteger(flags.maxUses) && flags.maxUses > 0))
    throw new UsageError('--max-uses: write a whole number above 0');
  const ttlMs = flags.ttl ?? DEFAULT_TTL_MS;
  const answer = await asAdministrator(options, ({ client }) =>
    callUnary(client, TokensService.addToken, {
      roles,
      value: flags.value ?? '',
      ttlSeconds: Math.ceil(ttlMs / 1000),
      labels: flags.labels ?? {},
      dbName: flags.dbName ?? '',
      dbProtocol: flags.dbProtocol ?? '',
      dbUri: flags.dbUri ?? '',
      appName: flags.appName ?? '',
      appUri: flags.appUri ?? '',
      maxUses: flags.maxUses ?? 0,
    }),
  );
  process.stdout.write(await output(answer, roles, flags));
}

async function output(answer: AddTokenResponse, roles: readonly string[], flags: AddTokenFlags): Promise<string> {
  if (flags.format === undefined) return inviteText(answer, roles, flags);
  const data = { token: answer.token, roles, expires: new Date(answer.expiresMs).toISOString() };
  return render(flags.format, data, () => answer.token);
}
