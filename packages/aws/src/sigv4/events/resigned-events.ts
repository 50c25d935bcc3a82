import { hash } from 'node:crypto';
import { limits } from '@postern/limits';
import type { BodyTransform, PartialRoom } from '#sigv4/chunks/body-transform.ts';
import { dateHeader, messageLength, PRELUDE_BYTES, readSignedMessage, writeSignedMessage } from '#sigv4/events/event-message.ts';
import { isProven, prove } from '#sigv4/keys/prove.ts';
import type { SignatureChain } from '#sigv4/signature-chain.ts';
import { refuse, type SignatureRefusal } from '#sigv4/signature-refusal.ts';
import { amzDate, type SigningKey, type SigningKeys } from '#sigv4/signing-keys.ts';
import { judgeSkew } from '#sigv4/verify/request-time.ts';

export type ResignedEventsOptions = {
  readonly received: SignatureChain;
  readonly signed: SignatureChain;
  readonly keys: SigningKeys;
  readonly now: () => number;
  readonly send: (bytes: Buffer) => void;
  readonly room: PartialRoom;
};

const maxSkewMs = 15 * 60_000;
const firstBytes = 1024;

/**
 * STREAMING-AWS4-HMAC-SHA256-EVENTS: each message is verified, and signed anew with our own time, as soon as it is whole. A stream ends with
 * a signed message without payload; without it the body is cut off and not complete.
 */
export class ResignedEvents implements BodyTransform {
  readonly #options: ResignedEventsOptions;
  #received: string;
  #signed: string;
  /** A message that is not whole, in memory of the room that grows with what has come, and not beyond what its prelude says. */
  #partial = Buffer.alloc(0);
  #filled = 0;
  #isEnded = false;
  #refusal: SignatureRefusal | undefined;
  contentBytes = 0;

  constructor(options: ResignedEventsOptions) {
    this.#options = options;
    this.#received = options.received.seed;
    this.#signed = options.signed.seed;
  }

  get isBetween(): boolean {
    return this.#filled === 0;
  }

  stop(): void {
    this.#refusal ??= refuse('bad_request', 'the event stream was given up');
    this.#letGo();
  }

  write(piece: Buffer): SignatureRefusal | undefined {
    for (let at = 0; at < piece.length && this.#refusal === undefined; ) at = this.#take(piece, at);
    return this.#refusal;
  }

  end(): SignatureRefusal | undefined {
    if (!this.#isEnded || this.#filled > 0) this.#refusal ??= refuse('bad_request', 'the event stream ends without its last message');
    this.#letGo();
    return this.#refusal;
  }

  #take(piece: Buffer, at: number): number {
    if (this.#isEnded) return this.#fail(refuse('bad_request', 'the event stream goes on behind its last message'), piece);
    const needed = this.#filled < PRELUDE_BYTES ? PRELUDE_BYTES : messageLength(this.#partial);
    if (this.#filled === 0) {
      const whole = this.#wholeIn(piece, at);
      if (whole > 0) return this.#message(piece.subarray(at, at + whole), piece) ? at + whole : piece.length;
    }
    if (needed === undefined) return this.#fail(malformed(), piece);
    const to = Math.min(piece.length, at + needed - this.#filled);
    if (!this.#keep(piece.subarray(at, to), needed)) return this.#fail(refuse('unavailable', this.#options.room.full), piece);
    if (this.#filled === PRELUDE_BYTES) {
      const length = messageLength(this.#partial);
      if (length === undefined) return this.#fail(malformed(), piece);
      if (length > limits.awsEventBytes)
        return this.#fail(refuse('too_large', `a message of the event stream is longer than ${limits.awsEventBytes} bytes`), piece);
    } else if (this.#filled > PRELUDE_BYTES && this.#filled === needed) {
      const message = this.#partial.subarray(0, needed);
      this.#letGo();
      if (!this.#message(message, piece)) return piece.length;
    }
    return to;
  }

  /** The length of the message that stands whole in the piece, and 0 where none does or it has to be refused. */
  #wholeIn(piece: Buffer, at: number): number {
    if (piece.length - at < PRELUDE_BYTES) return 0;
    const length = messageLength(piece.subarray(at, at + PRELUDE_BYTES)) ?? 0;
    return length <= piece.length - at && length <= limits.awsEventBytes ? length : 0;
  }

  #keep(part: Buffer, needed: number): boolean {
    const size = this.#filled + part.length;
    const before = this.#partial;
    if (size > before.length) {
      const length = Math.max(size, Math.min(needed, Math.max(2 * before.length, firstBytes)));
      if (!this.#options.room.take(length - before.length)) return false;
      this.#partial = Buffer.allocUnsafeSlow(length);
      before.copy(this.#partial, 0, 0, this.#filled);
    }
    part.copy(this.#partial, this.#filled);
    this.#filled = size;
    return true;
  }

  #letGo(): void {
    this.#options.room.give(this.#partial.length);
    this.#partial = Buffer.alloc(0);
    this.#filled = 0;
  }

  #message(bytes: Buffer, piece: Buffer): boolean {
    const refusal = this.#resign(bytes);
    if (refusal === undefined) return true;
    this.#fail(refusal, piece);
    return false;
  }

  #resign(bytes: Buffer): SignatureRefusal | undefined {
    const message = readSignedMessage(bytes);
    if (message === undefined) return malformed();
    const { received, signed, keys, now, send } = this.#options;
    const nowMs = now();
    const { dateMs, payload } = message;
    const skewed = judgeSkew({ timeMs: dateMs, nowMs, maxSkewMs });
    if (skewed !== undefined) return skewed;
    const payloadSha256 = hash('sha256', payload, 'hex');
    const theirs = eventText(keys.at(received.key, dateMs), { dateMs, previous: this.#received, payloadSha256 });
    if (!isProven(theirs.key, theirs.text, message.signature)) {
      return refuse(
        'bad_signature',
        'the signature we calculated of a message of the event stream does not match the signature you provided',
      );
    }
    this.#received = message.signature;
    const ours = eventText(keys.at(signed.key, nowMs), { dateMs: nowMs, previous: this.#signed, payloadSha256 });
    this.#signed = prove(ours.key, ours.text);
    this.contentBytes += payload.length;
    this.#isEnded = payload.length === 0;
    send(writeSignedMessage({ dateMs: nowMs, signature: this.#signed, payload }));
    return undefined;
  }

  #fail(refusal: SignatureRefusal, piece: Buffer): number {
    this.#refusal = refusal;
    this.#letGo();
    return piece.length;
  }
}

/** A message is signed in the scope of its own day: a stream may last past midnight. */
function eventText(
  key: SigningKey,
  event: { readonly dateMs: number; readonly previous: string; readonly payloadSha256: string },
): { readonly key: SigningKey; readonly text: string } {
  const date = hash('sha256', dateHeader(event.dateMs), 'hex');
  const text = `${key.algorithm}-PAYLOAD\n${amzDate(event.dateMs)}\n${key.scope}\n${event.previous}\n${date}\n${event.payloadSha256}`;
  return { key, text };
}

function malformed(): SignatureRefusal {
  return refuse('bad_request', 'the event stream holds a malformed message');
}
