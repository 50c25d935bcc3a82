import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/** Where the log ends, as last acknowledged. A log that ends before it was cut. */
export interface Head {
  readonly ei: number;
  readonly hash: string;
  readonly segment: string;
  /** Length of that segment up to and with the last acknowledged record. */
  readonly bytes: number;
}

const slotBytes = 512;
const fileName = 'head';

/**
 * Two slots written in turn and in place: a write that is torn by a power cut leaves the other slot, and a full disk
 * refuses nothing, because the file never grows.
 */
export class HeadFile {
  readonly #handle: FileHandle;
  #generation: number;
  /** As found when opened: undefined where neither slot can be read. */
  readonly found: Head | undefined;

  private constructor(handle: FileHandle, generation: number, found: Head | undefined) {
    this.#handle = handle;
    this.#generation = generation;
    this.found = found;
  }

  static async open(dir: string): Promise<HeadFile> {
    const handle = await open(join(dir, fileName), 'a+', 0o600).then(async (made) => {
      await made.close();
      return open(join(dir, fileName), 'r+');
    });
    if ((await handle.stat()).size < 2 * slotBytes) {
      const found = await readSlots(handle);
      await handle.write(Buffer.alloc(2 * slotBytes, ' '), 0, 2 * slotBytes, 0);
      await handle.sync();
      return new HeadFile(handle, found?.generation ?? 0, found?.head);
    }
    const found = await readSlots(handle);
    return new HeadFile(handle, found?.generation ?? 0, found?.head);
  }

  /** Resolves once it is on disk. */
  async write(head: Head): Promise<void> {
    const generation = this.#generation + 1;
    const text = JSON.stringify({ generation, ...head });
    const slot = Buffer.alloc(slotBytes, ' ');
    slot.write(`${crc32(text).toString(16).padStart(8, '0')} ${text}`);
    slot[slotBytes - 1] = 10;
    await this.#handle.write(slot, 0, slotBytes, (generation % 2) * slotBytes);
    await this.#handle.datasync();
    this.#generation = generation;
  }

  /** What the file says now, read again. */
  async read(): Promise<Head | undefined> {
    return (await readSlots(this.#handle))?.head;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

async function readSlots(handle: FileHandle): Promise<{ readonly generation: number; readonly head: Head } | undefined> {
  const { buffer } = await handle.read(Buffer.alloc(2 * slotBytes), 0, 2 * slotBytes, 0);
  return [0, 1]
    .map((slot) => parseSlot(buffer.toString('utf8', slot * slotBytes, (slot + 1) * slotBytes)))
    .filter((found) => found !== undefined)
    .sort((a, b) => b.generation - a.generation)[0];
}

function parseSlot(slot: string): { readonly generation: number; readonly head: Head } | undefined {
  const text = slot.slice(9).trimEnd();
  if (text === '' || slot.slice(0, 9) !== `${crc32(text).toString(16).padStart(8, '0')} `) return undefined;
  const { generation, ei, hash, segment, bytes } = JSON.parse(text) as Head & { readonly generation: number };
  return { generation, head: { ei, hash, segment, bytes } };
}
