import { callUnary, type TokenInfo, TokensService } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';
import { durationText, type Format, labelsText, print, table } from '@postern/terminal/output';

export async function listTokens(options: AdminOptions, format: Format): Promise<void> {
  const { tokens } = await asAdministrator(options, ({ client }) => callUnary(client, TokensService.listTokens, {}));
  await print(format, tokens.map(asResource), () => (tokens.length === 0 ? 'No active tokens found.' : tokensTable(tokens)));
}

/** The token itself is not stored: three quarters of what is shown are asterisks. The id takes it back. */
function tokensTable(tokens: readonly TokenInfo[]): string {
  const rows = tokens.map((token) => [
    token.masked,
    token.roles.join(','),
    labelsText(token.labels),
    expiryText(token.expiresMs),
    token.id,
    token.boundNames.join(','),
  ]);
  return table(['Token', 'Type', 'Labels', 'Expiry Time (UTC)', 'Id', 'Bound Names'], rows);
}

function expiryText(expiresMs: number): string {
  if (expiresMs === 0) return 'never';
  const at = new Date(expiresMs)
    .toUTCString()
    .replace(/^\w+, /, '')
    .replace(/:\d\d GMT$/, ' UTC');
  return `${at} (${durationText(expiresMs - Date.now())})`;
}

function asResource(token: TokenInfo): object {
  return {
    kind: 'token',
    version: 'v2',
    metadata: {
      name: token.masked,
      labels: token.labels,
      ...(token.expiresMs === 0 ? {} : { expires: new Date(token.expiresMs).toISOString() }),
    },
    spec: {
      roles: token.roles,
      join_method: 'token',
      id: token.id,
      bound_names: token.boundNames,
      ...(token.usesLeft === 0 ? {} : { uses_left: token.usesLeft }),
    },
  };
}
