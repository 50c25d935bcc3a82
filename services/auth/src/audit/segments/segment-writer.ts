import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Head, type HeadFile } from '#audit/segments/head-file.ts';
import { segmentName } from '#audit/segments/segment-files.ts';

export interface Placed {
  readonly segment: string;
  readonly offset: number;
}

/**
 * Appends to the last segment and moves the head. One call at a time. What a failed write left behind is cut off
 * before the next one, and until that has worked nothing is written.
 */
export class SegmentWriter {
  readonly #dir: string;
  readonly #headFile: HeadFile;
  readonly #maxSegmentBytes: number;
  #head: Head;
  #handle: FileHandle | undefined;
  #dirty = false;

  constructor(options: { readonly dir: string; readonly headFile: HeadFile; readonly maxSegmentBytes: number; readonly head: Head }) {
    this.#dir = options.dir;
    this.#headFile = options.headFile;
    this.#maxSegmentBytes = options.maxSegmentBytes;
    this.#head = options.head;
  }

  /** The last acknowledged record. */
  get head(): Head {
    return this.#head;
  }

  /** Resolves once the bytes and the head that names them are on disk. */
  async append(bytes: Buffer, end: { readonly ei: number; readonly hash: string }): Promise<Placed> {
    if (this.#dirty) await this.#cutBack();
    const handle = await this.#segmentFor(bytes.length);
    const { segment, bytes: offset } = this.#head;
    this.#dirty = true;
    for (let written = 0; written < bytes.length; ) {
      written += (await handle.write(bytes, written, bytes.length - written, offset + written)).bytesWritten;
    }
    await handle.datasync();
    const head = { ...end, segment, bytes: offset + bytes.length };
    await this.#headFile.write(head);
    this.#dirty = false;
    this.#head = head;
    return { segment, offset };
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #segmentFor(length: number): Promise<FileHandle> {
    const full = this.#head.bytes > 0 && this.#head.bytes + length > this.#maxSegmentBytes;
    if (full || this.#head.bytes === 0) {
      const next = full ? segmentName(this.#head.ei + 1) : this.#head.segment;
      // 'wx' would refuse the empty file that a crash between creation and first write leaves.
      const handle = await open(join(this.#dir, next), 'a+', 0o600).then(async (made) => {
        const { size } = await made.stat();
        await made.close();
        if (size > 0) throw new Error(`segment ${next} is already there`);
        return open(join(this.#dir, next), 'r+');
      });
      await syncDirectory(this.#dir);
      await this.#handle?.close();
      this.#handle = handle;
      this.#head = { ...this.#head, segment: next, bytes: 0 };
    }
    this.#handle ??= await open(join(this.#dir, this.#head.segment), 'r+');
    return this.#handle;
  }

  async #cutBack(): Promise<void> {
    // Pages that a failed sync left unwritten lie behind this length, so nothing acknowledged rests on them.
    await this.#handle?.truncate(this.#head.bytes);
    await this.#handle?.datasync();
    this.#dirty = false;
  }
}

export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
