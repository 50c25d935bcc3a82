import { open, readFile, rename } from 'node:fs/promises';
import { StoreError } from '#store.ts';

interface Fence {
  readonly clusterId: string;
  readonly revision: number;
}

/**
 * What this host remembers of the server: that the cluster was there, and how far its revisions had come. A server that
 * comes back empty, or behind (an old backup, a replica that had not caught up), is told from one that is new.
 */
export class RevisionFence {
  readonly #path: string | undefined;
  readonly #clusterId: string;
  #saved: number;
  #highest: number;
  readonly existed: boolean;

  private constructor(path: string | undefined, clusterId: string, fence: Fence | undefined) {
    this.#path = path;
    this.#clusterId = clusterId;
    this.#saved = fence?.revision ?? -1;
    this.#highest = fence?.revision ?? 0;
    this.existed = fence !== undefined;
  }

  static async open(path: string | undefined, clusterId: string): Promise<RevisionFence> {
    return new RevisionFence(path, clusterId, path === undefined ? undefined : await readFence(path, clusterId));
  }

  get path(): string | undefined {
    return this.#path;
  }

  /** The highest revision that the server was seen to have. */
  get highest(): number {
    return this.#highest;
  }

  seen(revision: number): void {
    if (revision > this.#highest) this.#highest = revision;
  }

  /** Durable once it resolves; does nothing where nothing is new. */
  async save(): Promise<void> {
    if (this.#path === undefined || this.#highest === this.#saved) return;
    const revision = this.#highest;
    const fresh = `${this.#path}.new`;
    const handle = await open(fresh, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify({ clusterId: this.#clusterId, revision })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, this.#path);
    this.#saved = revision;
  }
}

async function readFence(path: string, clusterId: string): Promise<Fence | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new StoreError('unavailable', `${path} cannot be read`, { cause });
  }
  let fence: Partial<Fence>;
  try {
    fence = JSON.parse(text) as Partial<Fence>;
  } catch (cause) {
    throw new StoreError('unsafe', `${path}, which remembers the state of redis, is damaged: delete it if redis is known to be whole`, {
      cause,
    });
  }
  if (fence.clusterId !== clusterId || !Number.isSafeInteger(fence.revision)) {
    throw new StoreError(
      'unsafe',
      `${path} remembers cluster ${String(fence.clusterId)}, not ${clusterId}: check the cluster id, or delete the file`,
    );
  }
  return { clusterId, revision: Number(fence.revision) };
}
