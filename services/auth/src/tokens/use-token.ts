import { timingSafeEqual } from 'node:crypto';
import { type Operation, type Store, StoreError } from '@postern/store';
import { isLostRace } from '#state/change-entry.ts';
import { keys } from '#state/keys.ts';
import { isExpired } from '#tokens/list-tokens.ts';
import { hashToken, type JoinRole, readToken, type TokenRecord } from '#tokens/token.ts';

export interface TokenUse {
  readonly token: string;
  readonly role: JoinRole;
  /** Written in the same step as the use is counted: what the token was used for. */
  readonly effect: (token: TokenRecord) => Operation;
}
export type TokenUseResult =
  | { readonly ok: true; readonly token: TokenRecord }
  | { readonly ok: false; readonly cause: string; readonly token?: TokenRecord };

const MAX_TRIES = 500;

/**
 * Checks a join token and counts its use in one step with the effect. However many use it at once, on however many auth
 * servers, a token of N uses has its effect N times: each use is a compare-and-set on the token's entry.
 */
export async function useToken(
  deps: { readonly store: Store; readonly staticTokens: ReadonlyMap<string, TokenRecord>; readonly nowMs: () => number },
  use: TokenUse,
): Promise<TokenUseResult> {
  const hash = hashToken(use.token);
  const fixed = findStatic(deps.staticTokens, hash);
  if (fixed !== undefined) {
    if (!fixed.roles.includes(use.role)) return { ok: false, cause: `the token is for ${fixed.roles.join(',')}`, token: fixed };
    await deps.store.atomically([use.effect(fixed)]);
    return { ok: true, token: fixed };
  }
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const entry = await deps.store.get(keys.token(hash));
    if (entry === undefined) return { ok: false, cause: 'no such token' };
    const token = readToken(entry);
    const cause = whyNot(token, use.role, deps.nowMs());
    if (cause !== undefined) return { ok: false, cause, token };
    const key = keys.token(hash);
    const count: Operation =
      token.usesLeft === undefined
        ? { kind: 'check', key, expectedRevision: entry.revision }
        : {
            kind: 'update',
            key,
            value: JSON.stringify({ ...token, usesLeft: token.usesLeft - 1 }),
            expectedRevision: entry.revision,
            ...(entry.expiresMs === undefined ? {} : { expiresMs: entry.expiresMs }),
          };
    try {
      await deps.store.atomically([count, use.effect(token)]);
      return { ok: true, token };
    } catch (error) {
      const isTokenChanged = isLostRace(error) && error instanceof StoreError && error.index === 0;
      if (!isTokenChanged) throw error;
    }
  }
  return { ok: false, cause: 'too many joins with this token at once' };
}

function whyNot(token: TokenRecord, role: JoinRole, nowMs: number): string | undefined {
  if (isExpired(token, nowMs)) return 'the token has expired';
  if (token.usesLeft === 0) return 'the token has been used as often as it may be';
  if (!token.roles.includes(role)) return `the token is for ${token.roles.join(',')}`;
  return undefined;
}

function findStatic(tokens: ReadonlyMap<string, TokenRecord>, hash: string): TokenRecord | undefined {
  const wanted = Buffer.from(hash);
  let found: TokenRecord | undefined;
  for (const [known, record] of tokens) if (timingSafeEqual(Buffer.from(known), wanted)) found = record;
  return found;
}
