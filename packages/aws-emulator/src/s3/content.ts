import { open, rm } from 'node:fs/promises';

import { AwsError } from '#protocols/aws-error.ts';

/** The bytes of an object, wherever they are. */
export interface Content {
  readonly size: number;
  /** From `start` up to and without `end`. */
  readonly read: (start: number, end: number) => AsyncIterable<Buffer>;
  readonly dispose: () => Promise<void>;
}

const pieceBytes = 65_536;
const nothing = (): Promise<void> => Promise.resolve();

export function memoryContent(bytes: Buffer): Content {
  return {
    size: bytes.length,
    read: async function* read(start, end) {
      for (let at = start; at < end; at += pieceBytes) yield bytes.subarray(at, Math.min(end, at + pieceBytes));
    },
    dispose: nothing,
  };
}

export function fileContent(path: string, size: number): Content {
  return {
    size,
    read: async function* read(start, end) {
      const file = await open(path, 'r');
      try {
        for (let at = start; at < end; ) {
          const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(pieceBytes * 4, end - at)), 0, undefined, at);
          if (bytesRead === 0) throw new Error(`${path} is shorter than it was`);
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
      } finally {
        await file.close();
      }
    },
    dispose: () => rm(path, { force: true }),
  };
}

const period = 251;
const pattern = Buffer.from(Array.from({ length: period * 261 }, (_, index) => index % period));

/** Any number of bytes that nobody holds: byte number i is i modulo 251. */
export function generatedContent(size: number): Content {
  return {
    size,
    read: async function* read(start, end) {
      for (let at = start; at < end; ) {
        const offset = at % period;
        const piece = pattern.subarray(offset, Math.min(pattern.length, offset + end - at));
        at += piece.length;
        yield piece;
      }
    },
    dispose: nothing,
  };
}

/** What was hashed and counted only. */
export function discardedContent(size: number): Content {
  return {
    size,
    read: () => {
      throw new AwsError('InternalError', 'the emulator was told to keep nothing of this object', 500);
    },
    dispose: nothing,
  };
}

/** One after the other, as the parts of a multipart upload stand. */
export function joinedContent(parts: readonly Content[]): Content {
  return {
    size: parts.reduce((sum, { size }) => sum + size, 0),
    read: async function* read(start, end) {
      let base = 0;
      for (const part of parts) {
        const from = Math.max(0, start - base);
        const to = Math.min(part.size, end - base);
        if (from < to) yield* part.read(from, to);
        base += part.size;
      }
    },
    dispose: async () => void (await Promise.all(parts.map((part) => part.dispose()))),
  };
}
