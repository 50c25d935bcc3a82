import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A segment is named after its first record, so a missing one is seen in the names and again in the chain. */
export const segmentName = (firstEi: number): string => `${String(firstEi).padStart(20, '0')}.jsonl`;
export const firstEiOf = (segment: string): number => Number(segment.slice(0, 20));

export async function listSegments(dir: string): Promise<readonly string[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    // A log that was removed while it is open has no segments, and `verify` says what is missing.
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => /^[0-9]{20}\.jsonl$/.test(name)).sort();
}

const chunkBytes = 1024 * 1024;

export interface ReadLine {
  /** Without its line end. */
  readonly bytes: Buffer;
  readonly offset: number;
  /** False for what stands after the last line end. */
  readonly complete: boolean;
}

/** The lines between two offsets, a mebibyte at a time. A line that fills more than that is handed over incomplete. */
export async function* readLines(
  dir: string,
  segment: string,
  range: { readonly from?: number; readonly to?: number } = {},
): AsyncGenerator<readonly ReadLine[]> {
  const handle = await open(join(dir, segment), 'r');
  try {
    const to = Math.min(range.to ?? Number.POSITIVE_INFINITY, (await handle.stat()).size);
    let offset = range.from ?? 0;
    while (offset < to) {
      const wanted = Math.min(chunkBytes, to - offset);
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(wanted), 0, wanted, offset);
      const lines: ReadLine[] = [];
      let start = 0;
      for (let end = buffer.indexOf(10); end !== -1 && end < bytesRead; end = buffer.indexOf(10, start)) {
        lines.push({ bytes: buffer.subarray(start, end), offset: offset + start, complete: true });
        start = end + 1;
      }
      const last = bytesRead === 0 || start === 0 || offset + bytesRead >= to;
      if (last && start < bytesRead) lines.push({ bytes: buffer.subarray(start, bytesRead), offset: offset + start, complete: false });
      yield lines;
      if (last) return;
      offset += start;
    }
  } finally {
    await handle.close();
  }
}
