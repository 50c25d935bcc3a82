import type { StaticToken } from '#config.ts';
import { requireTokenValue } from '#tokens/add-token.ts';
import { hashToken, maskToken, type TokenRecord, tokenId } from '#tokens/token.ts';

/** Tokens of the configuration file, by hash. They bind no name: an agent that joins with one serves dynamic resources only. */
export function hashStaticTokens(tokens: readonly StaticToken[]): ReadonlyMap<string, TokenRecord> {
  const records = new Map<string, TokenRecord>();
  for (const { roles, value } of tokens) {
    const hash = hashToken(requireTokenValue(value));
    records.set(hash, {
      id: tokenId(hash),
      masked: maskToken(value),
      roles,
      boundNames: [],
      labels: {},
      createdMs: 0,
      createdBy: 'configuration file',
    });
  }
  return records;
}
