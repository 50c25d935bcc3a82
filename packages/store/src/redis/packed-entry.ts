import type { Entry } from '#store.ts';

/** "revision:expiry:value", as the functions keep it; undefined where it is not that. */
export function unpackEntry(key: string, packed: string): Entry | undefined {
  const [head, revision, expiry] = /^([0-9]+):([0-9]*):/.exec(packed) ?? [];
  if (head === undefined || revision === undefined) return undefined;
  return { key, value: packed.slice(head.length), revision, ...(expiry === '' ? {} : { expiresMs: Number(expiry) }) };
}

export const isLive = (entry: Entry, nowMs: number): boolean => entry.expiresMs === undefined || entry.expiresMs > nowMs;
