import { type EventMessage, decodeMessage, encodeHeaders } from '#event-stream/message.ts';
import { AwsError } from '#protocols/aws-error.ts';
import type { BodyDecoder } from '#exchange/read-body.ts';
import type { ChunkSeed } from '#sigv4/chunk-chain.ts';
import { sha256Hex } from '#sigv4/signing-key.ts';

const maxMessageBytes = 16 * 1024 * 1024;
/** A message is as young as a request has to be. */
const maxSkewMs = 15 * 60_000;

/**
 * Judges a body of STREAMING-AWS4-HMAC-SHA256-EVENTS: messages that wrap a message each, with their date and a signature over the one
 * before, and an empty one at the end. Hands on what is wrapped. Source: Amazon Transcribe developer guide, "Event stream encoding".
 */
export class SignedEvents implements BodyDecoder {
  readonly trailer: ReadonlyMap<string, string> = new Map();
  readonly #seed: ChunkSeed;
  readonly #nowMs: () => number;
  readonly #onData: (data: Buffer) => void;
  #previous: string;
  #waiting: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(seed: ChunkSeed, nowMs: () => number, onData: (data: Buffer) => void) {
    this.#nowMs = nowMs;
    this.#seed = seed;
    this.#previous = seed.signature;
    this.#onData = onData;
  }

  push(piece: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? piece : Buffer.concat([this.#waiting, piece]);
    for (;;) {
      const decoded = this.#decode();
      if (decoded === undefined) return;
      this.#waiting = this.#waiting.subarray(decoded.length);
      if (this.#ended) throw malformed('there is more after its end');
      this.#judge(decoded.message);
    }
  }

  end(): void {
    if (!this.#ended || this.#waiting.length > 0) throw malformed('it does not end in a signed empty message');
  }

  #decode(): ReturnType<typeof decodeMessage> {
    try {
      return decodeMessage(this.#waiting, maxMessageBytes);
    } catch (error) {
      throw malformed(error instanceof Error ? error.message : String(error));
    }
  }

  #judge({ headers, payload }: EventMessage): void {
    const date = headers[':date'];
    const signature = headers[':chunk-signature'];
    if (!(date instanceof Date) || !Buffer.isBuffer(signature)) throw malformed('a message lacks :date or :chunk-signature');
    if (Math.abs(date.getTime() - this.#nowMs()) > maxSkewMs)
      throw new AwsError('InvalidSignatureException', `Signature of an event is of another time: ${date.toISOString()}`, 403);
    const { key, algorithm } = this.#seed;
    const timestamp = date.toISOString().replace(/[-:]|\.\d+/gu, '');
    const covered = `${sha256Hex(encodeHeaders({ ':date': date }))}\n${sha256Hex(payload)}`;
    const hex = signature.toString('hex');
    if (!key.matches([`${algorithm}-PAYLOAD`, timestamp, key.scope, this.#previous, covered].join('\n'), hex))
      throw new AwsError('InvalidSignatureException', 'The signature of an event does not match the one we calculated.', 403);
    this.#previous = hex;
    if (payload.length === 0) this.#ended = true;
    else this.#onData(payload);
  }
}

function malformed(why: string): AwsError {
  return new AwsError('SerializationException', `The event stream is not well-formed: ${why}`);
}
