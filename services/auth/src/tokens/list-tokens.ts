import type { Store } from '@postern/store';
import { readToken, type TokenRecord } from '#tokens/token.ts';

/** Tokens that still join somebody, those of the configuration file last. */
export async function listTokens(deps: {
  readonly store: Store;
  readonly staticTokens: readonly TokenRecord[];
  readonly nowMs: () => number;
}): Promise<readonly TokenRecord[]> {
  const nowMs = deps.nowMs();
  const stored = (await deps.store.list('tokens/')).map(readToken);
  return [...stored.filter((token) => isUsable(token, nowMs)), ...deps.staticTokens];
}

export function isUsable(token: TokenRecord, nowMs: number): boolean {
  return !isExpired(token, nowMs) && token.usesLeft !== 0;
}

export function isExpired(token: TokenRecord, nowMs: number): boolean {
  return token.expiresMs !== undefined && token.expiresMs <= nowMs;
}
