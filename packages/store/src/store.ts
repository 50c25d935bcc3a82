/**
 * Store is where everything durable lives: keys to JSON values, each with a revision. Keys are paths of
 * segments joined by "/" ("roles/access"); a segment holds no "/" and no NUL. Two implementations pass one
 * conformance suite: SQLite and Redis.
 */
export interface Store {
  get(key: string): Promise<Entry | undefined>;
  /** Entries whose key begins with `prefix`, in key order. */
  list(prefix: string, options?: ListOptions): Promise<readonly Entry[]>;
  /** Rejects with StoreError `exists`. */
  create(key: string, value: string, options?: WriteOptions): Promise<Entry>;
  /** Compare and set; rejects with StoreError `conflict` (another revision) or `absent`. */
  update(key: string, value: string, expectedRevision: string, options?: WriteOptions): Promise<Entry>;
  /** Creates or replaces. */
  put(key: string, value: string, options?: WriteOptions): Promise<Entry>;
  /** True where it was there. With a revision: rejects with `conflict` where it is another. */
  delete(key: string, expectedRevision?: string): Promise<boolean>;
  /** All or nothing, one durable step; rejects with StoreError of the first operation that cannot be done, and its index. */
  atomically(operations: readonly Operation[]): Promise<readonly (Entry | undefined)[]>;
  /**
   * First the state as `put` events, then `synced`, then every change after it, in commit order, none lost and
   * none twice. A watcher that falls behind by more than `maxBehind` events ends with StoreError `behind`.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<StoreEvent>;
  close(): Promise<void>;
}

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Opaque; another after each write, never used again for the key even when it is deleted and made anew. */
  readonly revision: string;
  readonly expiresMs?: number;
}
export interface WriteOptions {
  /** After this the entry is absent from every read, and a `delete` event follows within 5 s. */
  readonly expiresMs?: number;
}
export interface ListOptions {
  readonly limit?: number;
  /** Return keys strictly after this one. */
  readonly after?: string;
}
export interface WatchOptions {
  readonly signal: AbortSignal;
  readonly maxBehind?: number;
}
export type Operation =
  | { readonly kind: 'create'; readonly key: string; readonly value: string; readonly expiresMs?: number }
  | {
      readonly kind: 'update';
      readonly key: string;
      readonly value: string;
      readonly expectedRevision: string;
      readonly expiresMs?: number;
    }
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly expiresMs?: number }
  | { readonly kind: 'delete'; readonly key: string; readonly expectedRevision?: string }
  /** Changes nothing; the batch fails unless the key has this revision, or, with `undefined`, is absent. */
  | { readonly kind: 'check'; readonly key: string; readonly expectedRevision: string | undefined };
export type StoreEvent =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'synced' };

export type StoreErrorCode = 'exists' | 'absent' | 'conflict' | 'behind' | 'unavailable' | 'unsafe';

/** `unsafe`: the server's settings could lose an acknowledged write; `unavailable`: it does not answer now. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  /** In a batch: which operation. */
  readonly index: number | undefined;
  constructor(code: StoreErrorCode, message: string, options?: { readonly index?: number; readonly cause?: unknown }) {
    super(message, { cause: options?.cause });
    this.code = code;
    this.index = options?.index;
  }
}
