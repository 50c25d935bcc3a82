import { join } from 'node:path';
import { openSqliteStore, type Store } from '@postern/store';
import { StoredAnchors } from '#audit/anchor/stored-anchors.ts';
import { Sealer } from '#seal/sealer.ts';

export interface TestAnchors {
  readonly anchors: StoredAnchors;
  readonly store: Store;
}

/** Anchors in a SQLite store of its own, as auth keeps them. */
export async function openTestAnchors(dir: string): Promise<TestAnchors> {
  const store = await openSqliteStore({ path: join(dir, 'anchors.sqlite'), nowMs: Date.now });
  return { store, anchors: new StoredAnchors({ store, sealer: new Sealer(Buffer.alloc(32, 7)), hostId: 'auth-1' }) };
}
