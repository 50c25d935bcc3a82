import type { FileHandle } from 'node:fs/promises';

/** A body that is whole and hashed, before a byte of it has left. */
export interface HeldBody {
  readonly sha256: string;
  readonly length: number;
  /** In memory, or in a file that has no name any more. */
  readonly content: Buffer | FileHandle;
  /** Call once, when the bytes are no longer needed. */
  release(): void;
}
