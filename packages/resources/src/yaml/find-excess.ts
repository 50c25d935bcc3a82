import type { CST } from 'yaml';

/**
 * The place where nesting passes the depth or the values their number, found without recursion: composing a document
 * is recursive, so twenty thousand brackets would end in a stack overflow before any check of ours.
 */
export function findExcess(
  tokens: readonly CST.Token[],
  limits: { readonly depth: number; readonly values: number },
): { readonly of: 'depth' | 'values'; readonly offset: number } | undefined {
  const waiting: { readonly token: CST.Token; readonly depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  let values = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { token, depth } = next;
    values += 1;
    if (values > limits.values) return { of: 'values', offset: token.offset };
    if (token.type === 'document') {
      if (token.value !== undefined) waiting.push({ token: token.value, depth });
      continue;
    }
    if (!('items' in token)) continue;
    if (depth >= limits.depth) return { of: 'depth', offset: token.offset };
    if (token.items.length > limits.values) return { of: 'values', offset: token.offset };
    for (const item of token.items) {
      if (item.key !== undefined && item.key !== null) waiting.push({ token: item.key, depth: depth + 1 });
      if (item.value !== undefined) waiting.push({ token: item.value, depth: depth + 1 });
    }
  }
  return undefined;
}
