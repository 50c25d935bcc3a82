import { Sha256 } from '@aws-crypto/sha256-js';
import { limits } from '@postern/limits';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ResignedEvents } from '#sigv4/events/resigned-events.ts';
import { writeSignedMessage } from '#sigv4/events/event-message.ts';
import type { PartialRoom } from '#sigv4/chunks/body-transform.ts';
import type { SignatureChain } from '#sigv4/signature-chain.ts';
import { SigningKeys } from '#sigv4/signing-keys.ts';
import { cut } from '#sigv4/testing/signer.ts';

// The client and the service are @smithy's: its signer and its codec of event streams.
const throwAway = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'throw-away' };
const role = { accessKeyId: 'ASIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret-of-the-role', sessionToken: 'token' };
const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
);
const keys = new SigningKeys();
const scope = { region: 'us-east-1', service: 'transcribe' };
// a minute before midnight: a stream goes on into the next day, with the key of that day
const startMs = Date.UTC(2026, 4, 6, 23, 59, 0);
const seed = 'c'.repeat(64);
const ourSeed = 'd'.repeat(64);
const chain = (credentials: typeof throwAway, chainSeed: string): SignatureChain => ({
  key: keys.for(credentials, { nowMs: startMs, ...scope }),
  amzDate: '20260506T235900Z',
  seed: chainSeed,
});

function signerOf(credentials: typeof throwAway): SignatureV4 {
  return new SignatureV4({ credentials, ...scope, sha256: Sha256 });
}

type Options = { readonly payloads: readonly Buffer[]; readonly stepMs?: number; readonly seed?: string };

async function clientStream({ payloads, stepMs = 20_000, seed: first = seed }: Options): Promise<Buffer[]> {
  const messages: Buffer[] = [];
  const signer = signerOf(throwAway);
  let priorSignature = first;
  for (const [i, body] of payloads.entries()) {
    const date = new Date(startMs + i * stepMs);
    const message = { headers: { ':date': { type: 'timestamp' as const, value: date } }, body };
    const signed = await signer.sign({ message, priorSignature }, { signingDate: date });
    priorSignature = signed.signature;
    const signature = { type: 'binary' as const, value: Buffer.from(signed.signature, 'hex') };
    messages.push(Buffer.from(codec.encode({ headers: { ...message.headers, ':chunk-signature': signature }, body })));
  }
  return messages;
}

function inner(text: string): Buffer {
  const type = { type: 'string' as const, value: 'AudioEvent' };
  return Buffer.from(codec.encode({ headers: { ':event-type': type }, body: Buffer.from(text) }));
}

/** So many bytes may be held. */
class Room implements PartialRoom {
  readonly #bytes: number;
  readonly full = 'there is no more room';
  held = 0;
  most = 0;

  constructor(bytes = Number.POSITIVE_INFINITY) {
    this.#bytes = bytes;
  }

  take(bytes: number): boolean {
    if (this.held + bytes > this.#bytes) return false;
    this.held += bytes;
    this.most = Math.max(this.most, this.held);
    return true;
  }

  give(bytes: number): void {
    this.held -= bytes;
  }
}

function begin({ nowMs = startMs + 30_000, room = new Room() } = {}) {
  const sent: Buffer[] = [];
  const chains = { received: chain(throwAway, seed), signed: chain(role, ourSeed) };
  const transform = new ResignedEvents({ ...chains, keys, now: () => nowMs, send: (bytes) => sent.push(bytes), room });
  return { transform, sent, room };
}

function resign(pieces: readonly Buffer[], nowMs?: number) {
  const { transform, sent, room } = begin(nowMs === undefined ? {} : { nowMs });
  let refusal: unknown;
  for (const piece of pieces) refusal ??= transform.write(piece);
  refusal ??= transform.end();
  expect(room.held).toBe(0);
  return { sent, refusal };
}

/** As the service does: decode, verify, hand the payload on. */
async function serviceReceives(messages: readonly Buffer[]): Promise<Buffer[]> {
  const payloads: Buffer[] = [];
  let priorSignature = ourSeed;
  for (const bytes of messages) {
    const { headers, body } = codec.decode(bytes);
    const date = headers[':date']?.value;
    const given = headers[':chunk-signature']?.value;
    if (!(date instanceof Date) || !(given instanceof Uint8Array)) throw new Error('the message is not signed');
    const message = { headers: { ':date': { type: 'timestamp' as const, value: date } }, body };
    const { signature } = await signerOf(role).sign({ message, priorSignature }, { signingDate: date });
    if (Buffer.from(given).toString('hex') !== signature) throw new Error('wrong signature');
    priorSignature = signature;
    payloads.push(Buffer.from(body));
  }
  return payloads;
}

const payloads = [inner('one'), inner('two'), inner('x'.repeat(3000)), Buffer.alloc(0)];

describe('an event stream', () => {
  test('is verified as @smithy signs it, across midnight, and received as @smithy verifies it', async () => {
    const wire = await clientStream({ payloads });
    for (const nowMs of [startMs, startMs + 120_000]) {
      const { sent, refusal } = resign(wire, nowMs);
      expect(refusal).toBeUndefined();
      expect(await serviceReceives(sent)).toEqual(payloads);
    }
  });

  test('gives each message as soon as it is whole, in any cut', async () => {
    const wire = Buffer.concat(await clientStream({ payloads }));
    const { sent } = resign([wire]);
    fc.assert(
      fc.property(fc.array(fc.nat(wire.length), { maxLength: 40 }), (places) => {
        const again = resign(cut(wire, places));
        expect(again.refusal).toBeUndefined();
        expect(Buffer.concat(again.sent).equals(Buffer.concat(sent))).toBe(true);
      }),
      { numRuns: 50 },
    );
    expect(resign(Array.from(wire, (byte) => Buffer.from([byte]))).sent).toHaveLength(4);
  });

  test('with any byte changed is refused, and what stands behind it is not sent', async () => {
    const messages = await clientStream({ payloads });
    const before = messages.slice(0, 2);
    const third = messages[2] ?? Buffer.alloc(0);
    fc.assert(
      fc.property(fc.nat(third.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const altered = Buffer.from(third);
        altered[at] = (altered[at] ?? 0) ^ change;
        const { sent, refusal } = resign([...before, altered, ...messages.slice(3)]);
        expect(refusal).toHaveProperty('kind');
        expect(sent).toHaveLength(2);
      }),
      { numRuns: 100 },
    );
  });

  test('whose message is left out, repeated, moved, or of another stream is refused', async () => {
    const [one, two, three, end] = await clientStream({ payloads });
    if (one === undefined || two === undefined || three === undefined || end === undefined) throw new Error('four messages');
    expect(resign([one, two, three, end]).refusal).toBeUndefined();
    for (const order of [[two, three, end], [one, one], [one, three, two, end], await clientStream({ payloads, seed: ourSeed })]) {
      expect(resign(order).refusal).toMatchObject({ kind: 'bad_signature' });
    }
  });

  test('whose check sums are right and whose signature is not is refused', async () => {
    const [, ...rest] = await clientStream({ payloads });
    const forged = writeSignedMessage({ dateMs: startMs, signature: 'e'.repeat(64), payload: inner('forged') });
    expect(resign([forged, ...rest])).toMatchObject({ sent: [], refusal: { kind: 'bad_signature' } });
  });

  test('that stops without its last message, or goes on behind it, is refused', async () => {
    const wire = await clientStream({ payloads });
    expect(resign(wire.slice(0, -1)).refusal).toMatchObject({ refusal: 'the event stream ends without its last message' });
    expect(resign([]).refusal).toMatchObject({ kind: 'bad_request' });
    expect(resign([...wire, Buffer.from('x')]).refusal).toMatchObject({ refusal: 'the event stream goes on behind its last message' });
  });

  test('whose messages are from another time is refused in the words of AWS', async () => {
    const wire = await clientStream({ payloads, stepMs: 0 });
    expect(resign(wire, startMs + 15 * 60_000).refusal).toBeUndefined();
    expect(resign(wire, startMs + 15 * 60_000 + 1).refusal).toMatchObject({
      kind: 'skewed',
      refusal: expect.stringContaining('Signature expired'),
    });
  });

  test('may have messages of a mebibyte, and not one byte more [limit awsEventBytes]', async () => {
    const overhead = 12 + 67 + 4;
    const largest = await clientStream({ payloads: [Buffer.alloc(limits.awsEventBytes - overhead, 1), Buffer.alloc(0)] });
    expect(largest[0]?.length).toBe(limits.awsEventBytes);
    expect(resign(largest).refusal).toBeUndefined();
    expect(resign(cut(Buffer.concat(largest), [5, 70_000, 500_000])).refusal).toBeUndefined();
    const larger = await clientStream({ payloads: [Buffer.alloc(limits.awsEventBytes - overhead + 1, 1)] });
    expect(resign(larger)).toMatchObject({ sent: [], refusal: { kind: 'too_large' } });
    // its first twelve bytes are enough, so that nothing of it is held
    expect(resign([larger[0]?.subarray(0, 12) ?? Buffer.alloc(0)]).refusal).toMatchObject({ kind: 'too_large' });
  });

  test('holds of a message what has come and not more than is announced, in memory that is given back with it', async () => {
    const [message = Buffer.alloc(0)] = await clientStream({ payloads: [Buffer.alloc(600_000, 1)] });
    const { transform, sent, room } = begin();
    expect(transform.isBetween).toBe(true);
    transform.write(message.subarray(0, 12));
    expect([transform.isBetween, room.held]).toEqual([false, 12]);
    // each part comes to more than half, where what is doubled would be larger than the message
    for (const [from, to] of [
      [12, 5000],
      [5000, 350_000],
    ] as const) {
      transform.write(message.subarray(from, to));
      expect(room.held).toBeLessThan(2 * to);
    }
    transform.write(message.subarray(350_000, -1));
    expect([room.held, sent.length]).toEqual([message.length, 0]);
    transform.write(message.subarray(-1));
    expect([room.held, room.most, sent.length, transform.isBetween]).toEqual([0, message.length, 1, true]);
  });

  test('gives back what it holds when it is refused, and when nothing more will come', async () => {
    const [message = Buffer.alloc(0)] = await clientStream({ payloads: [Buffer.alloc(5000, 1)] });
    const forged = Buffer.from(message);
    forged.writeUInt8(0, 4000);
    const refused = begin();
    for (const piece of cut(forged, [3000])) refused.transform.write(piece);
    expect([refused.room.held, refused.room.most]).toEqual([0, message.length]);

    const left = begin();
    left.transform.write(message.subarray(0, 4000));
    expect(left.room.held).toBeGreaterThanOrEqual(4000);
    left.transform.stop();
    left.transform.stop();
    expect([left.room.held, left.transform.isBetween]).toEqual([0, true]);
    expect(left.transform.write(message.subarray(4000))).toMatchObject({ refusal: 'the event stream was given up' });
    expect([left.room.held, left.sent]).toEqual([0, []]);
  });

  test('for a message of which there is no room is refused in the words of the room, and for one that just fits is not', async () => {
    const [message = Buffer.alloc(0)] = await clientStream({ payloads: [Buffer.alloc(300_000, 1)] });
    const [head, rest] = [message.subarray(0, 200_000), message.subarray(200_000)];
    const fits = begin({ room: new Room(message.length) });
    expect([fits.transform.write(head), fits.transform.write(rest)]).toEqual([undefined, undefined]);
    expect(fits.sent).toHaveLength(1);
    const past = begin({ room: new Room(message.length - 1) });
    expect(past.transform.write(head)).toBeUndefined();
    expect(past.transform.write(rest)).toEqual({ kind: 'unavailable', refusal: 'there is no more room' });
    expect([past.room.held, past.sent]).toEqual([0, []]);
    // what comes whole needs none
    expect(begin({ room: new Room(0) }).transform.write(message)).toBeUndefined();
  });

  test('no bytes make it throw', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }),
        (pieces) => void resign(pieces.map((piece) => Buffer.from(piece))),
      ),
    );
  });
});
