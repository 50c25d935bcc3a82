import type { Store } from '@postern/store';
import { type Anchor, type AnchorStore, type FoundAnchor, isSealOf, sealOf } from '#audit/anchor/anchor.ts';
import type { Sealer } from '#seal/sealer.ts';
import { isLostRace } from '#state/change-entry.ts';
import { keys } from '#state/keys.ts';

interface StoredAnchor extends Anchor {
  readonly seal: string;
}

/** The anchor of one auth server's log. The key comes from the seal key, so that a store alone cannot forge one. */
export class StoredAnchors implements AnchorStore {
  readonly key: Buffer;
  readonly #store: Store;
  readonly #entry: string;

  constructor(options: { readonly store: Store; readonly sealer: Sealer; readonly hostId: string }) {
    this.key = options.sealer.keyFor(`audit log of ${options.hostId}`);
    this.#store = options.store;
    this.#entry = keys.auditAnchor(options.hostId);
  }

  async read(): Promise<FoundAnchor | undefined> {
    const entry = await this.#store.get(this.#entry);
    return entry && { anchor: this.#genuine(entry.value), revision: entry.revision };
  }

  async write(anchor: Anchor, revision: string | undefined): Promise<string | undefined> {
    const { ei, hash, closed } = anchor;
    const stored: StoredAnchor = { ei, hash, closed, seal: sealOf(this.key, sealedText(anchor)) };
    const value = JSON.stringify(stored);
    try {
      const entry =
        revision === undefined ? await this.#store.create(this.#entry, value) : await this.#store.update(this.#entry, value, revision);
      return entry.revision;
    } catch (error) {
      if (isLostRace(error)) return undefined;
      throw error;
    }
  }

  #genuine(value: string): Anchor | undefined {
    try {
      const { ei, hash, closed, seal } = JSON.parse(value) as StoredAnchor;
      return isSealOf(this.key, sealedText({ ei, hash, closed }), seal) ? { ei, hash, closed } : undefined;
    } catch {
      return undefined;
    }
  }
}

const sealedText = ({ ei, hash, closed }: Anchor): string => `anchor ${ei} ${hash} ${closed ? 'closed' : 'open'}`;
