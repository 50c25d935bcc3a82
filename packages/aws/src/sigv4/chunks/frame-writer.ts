import { hash } from 'node:crypto';
import { ChunkSignatures, signatureLengths } from '#sigv4/chunks/chunk-signatures.ts';
import { FRAME_BYTES } from '#sigv4/chunks/framed-length.ts';
import { canonicalTrailers, type Trailer } from '#sigv4/chunks/trailers.ts';
import type { SignatureChain } from '#sigv4/signature-chain.ts';

export type FrameWriterOptions = {
  readonly chain: SignatureChain;
  readonly contentLength: number;
  readonly send: (bytes: Buffer) => void;
};

/** Writes content in signed chunks of 64 KiB. A full chunk is sent when more content comes, so the last is still here when the body ends. */
export class FrameWriter {
  readonly #signatures: ChunkSignatures;
  readonly #send: (bytes: Buffer) => void;
  /** Room for the longest header before the content, so that a chunk is one piece of memory and one write. */
  readonly #headerBytes: number;
  #contentLeft: number;
  #frame = Buffer.alloc(0);
  #filled = 0;
  #sha256: string | undefined;

  constructor({ chain, contentLength, send }: FrameWriterOptions) {
    this.#signatures = new ChunkSignatures(chain);
    this.#headerBytes = FRAME_BYTES.toString(16).length + 17 + signatureLengths[chain.key.algorithm] + 2;
    this.#contentLeft = contentLength;
    this.#send = send;
  }

  /** Bytes of the chunk that has not been sent. */
  get filled(): number {
    return this.#filled;
  }

  add(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to; ) {
      if (this.#filled === FRAME_BYTES) this.#flush();
      this.#sha256 = undefined;
      if (this.#filled === 0) this.#open();
      const part = Math.min(to - at, FRAME_BYTES - this.#filled);
      bytes.copy(this.#frame, this.#headerBytes + this.#filled, at, at + part);
      this.#filled += part;
      at += part;
    }
  }

  /** The hash of all that has been added to the unsent chunk, where somebody has it: a client that sends chunks of our size is hashed once. */
  hashIs(sha256: string): void {
    this.#sha256 = sha256;
  }

  /** The rest, the last chunk and what follows it. */
  end(trailers: readonly Trailer[] | undefined): void {
    if (this.#filled > 0) this.#flush();
    const last = `0;chunk-signature=${this.#signatures.signChunk(hash('sha256', '', 'hex'))}\r\n`;
    if (trailers === undefined) return this.#send(Buffer.from(`${last}\r\n`, 'latin1'));
    const lines = trailers.map(({ name, value }) => `${name}:${value}\r\n`).join('');
    const signature = this.#signatures.signTrailer(canonicalTrailers(trailers));
    this.#send(Buffer.from(`${last}${lines}x-amz-trailer-signature:${signature}\r\n\r\n`, 'latin1'));
  }

  #open(): void {
    // the receiver keeps what it was sent until it is written, so each chunk has memory of its own
    this.#frame = Buffer.allocUnsafeSlow(this.#headerBytes + Math.min(FRAME_BYTES, this.#contentLeft) + 2);
  }

  #flush(): void {
    const to = this.#headerBytes + this.#filled;
    const sha256 = this.#sha256 ?? hash('sha256', this.#frame.subarray(this.#headerBytes, to), 'hex');
    const header = `${this.#filled.toString(16)};chunk-signature=${this.#signatures.signChunk(sha256)}\r\n`;
    const from = this.#headerBytes - header.length;
    this.#frame.write(header, from, 'latin1');
    this.#frame.write('\r\n', to, 'latin1');
    const frame = this.#frame.subarray(from, to + 2);
    this.#contentLeft -= this.#filled;
    this.#filled = 0;
    this.#sha256 = undefined;
    this.#send(frame);
  }
}
