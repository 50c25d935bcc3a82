import { PosternError } from '@postern/api';
import type { Entry } from '@postern/store';
import { keys } from '#state/keys.ts';
import type { TokenDeps } from '#tokens/add-token.ts';
import { hashToken, readToken } from '#tokens/token.ts';

/** By the token itself, by its id, or by its masked form as `tctl tokens ls` prints it. */
export async function deleteToken(deps: TokenDeps, asked: { readonly token: string; readonly deletedBy: string }): Promise<void> {
  const entry = await findToken(deps, asked.token);
  if (entry === undefined) throw new PosternError('not_found', 'no such token: tctl tokens ls lists those that can be removed');
  const record = readToken(entry);
  await deps.trail.record({
    kind: 'join_token.delete',
    code: 'TJT01I',
    user: asked.deletedBy,
    resource: `token/${record.id}`,
    fields: { name: record.masked, roles: record.roles },
  });
  await deps.store.delete(entry.key);
}

export async function findToken(deps: Pick<TokenDeps, 'store'>, named: string): Promise<Entry | undefined> {
  const byValue = await deps.store.get(keys.token(hashToken(named)));
  if (byValue !== undefined) return byValue;
  const all = await deps.store.list('tokens/');
  const matching = all.filter((entry) => {
    const { id, masked } = readToken(entry);
    return id === named || masked === named;
  });
  return matching.length === 1 ? matching[0] : undefined;
}
