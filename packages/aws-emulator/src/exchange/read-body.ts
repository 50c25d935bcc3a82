import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import type { RunningChecksum } from '#checksums/crc-tables.ts';
import { AwsError } from '#protocols/aws-error.ts';

/** Where a body goes while it comes. What it returns is waited for, so that a fast client is held back. */
export interface BodySink {
  write(data: Buffer): Promise<void> | void;
}

/** Takes the frames off a body, and judges what they say. */
export interface BodyDecoder {
  push(piece: Buffer): void;
  end(): void;
  readonly trailer: ReadonlyMap<string, string>;
}

export interface ReadingBody {
  readonly sink: BodySink;
  /** Present where the body comes in frames; told what to call with its own bytes. */
  readonly decoder?: ((onData: (data: Buffer) => void) => BodyDecoder) | undefined;
  /** Besides SHA-256, by name. */
  readonly checksums?: ReadonlyMap<string, RunningChecksum>;
}

export interface BodyRead {
  /** Of the body itself, without the frames of aws-chunked. */
  readonly sha256: string;
  readonly bytes: number;
  readonly wireBytes: number;
  readonly trailer: ReadonlyMap<string, string>;
}

/** Reads a body once, piece by piece, holding none of it: hashed, its chunks' signatures judged, handed on. Throws AwsError. */
export async function readBody(
  message: IncomingMessage,
  { sink, decoder: decoding, checksums = new Map() }: ReadingBody,
): Promise<BodyRead> {
  const hash = createHash('sha256');
  let bytes = 0;
  let wireBytes = 0;
  let waiting: (Promise<void> | void)[] = [];
  const onData = (data: Buffer): void => {
    hash.update(data);
    for (const checksum of checksums.values()) checksum.update(data);
    bytes += data.length;
    waiting.push(sink.write(data));
  };
  const decoder = decoding?.(onData);
  // Left as it is at a refusal: the answer still has to go out on its connection.
  for await (const piece of message.iterator({ destroyOnReturn: false })) {
    const data = piece as Buffer;
    wireBytes += data.length;
    if (decoder === undefined) onData(data);
    else decoder.push(data);
    for (const written of waiting) await written;
    waiting = [];
  }
  decoder?.end();
  return { sha256: hash.digest('hex'), bytes, wireBytes, trailer: decoder?.trailer ?? new Map() };
}

/** Holds a body in memory, up to a limit. */
export class MemorySink implements BodySink {
  readonly #maxBytes: number;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  write(data: Buffer): void {
    this.#bytes += data.length;
    if (this.#bytes > this.#maxBytes)
      throw new AwsError('RequestEntityTooLargeException', `the body has more than ${this.#maxBytes} bytes`, 413);
    this.#pieces.push(data);
  }

  body(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
