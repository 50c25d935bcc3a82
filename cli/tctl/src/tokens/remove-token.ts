import { callUnary, TokensService } from '@postern/api';
import { type AdminOptions, asAdministrator } from '#connection/administrator.ts';

/** The token may be a secret: what is printed names it by no more than its beginning. */
export async function removeToken(options: AdminOptions, token: string): Promise<void> {
  await asAdministrator(options, ({ client }) => callUnary(client, TokensService.deleteToken, { token }));
  const SHOWN = 4;
  const LONGEST_ID = 16;
  const shown = token.length <= LONGEST_ID ? token : `${token.slice(0, SHOWN)}${'*'.repeat(LONGEST_ID - SHOWN)}`;
  process.stdout.write(`Token ${shown} has been deleted\n`);
}
