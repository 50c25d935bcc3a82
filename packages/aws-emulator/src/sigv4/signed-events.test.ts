import { Sha256 } from '@aws-crypto/sha256-js';
import { EventStreamCodec } from '@smithy/core/event-streams';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Emulator, startEmulator } from '#index.ts';
import { sendWire } from '#testing/wire.ts';

// Signer and codec are AWS's own for JavaScript.
const nowMs = Date.UTC(2026, 0, 31, 12);
const host = 'bedrock-runtime.us-east-1.amazonaws.com';
const path = '/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream';
const key = { id: 'AKIAEXAMPLEEXAMPLE00', secret: 'secret' };
const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
);
const signer = new SignatureV4({
  service: 'bedrock',
  region: 'us-east-1',
  credentials: { accessKeyId: key.id, secretAccessKey: key.secret },
  sha256: Sha256,
});
let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ accountId: '123456789012', accessKeys: [key], nowMs: () => nowMs });
});
afterAll(() => emulator.close());

async function events(
  payloads: readonly string[],
  eventMs = nowMs,
): Promise<{ readonly headers: Readonly<Record<string, string>>; readonly messages: Buffer[] }> {
  const signingDate = new Date(nowMs);
  const base = { host, 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-EVENTS', 'content-type': 'application/vnd.amazon.eventstream' };
  const { headers } = await signer.sign(
    { method: 'POST', protocol: 'https:', hostname: host, path, query: {}, headers: base },
    { signingDate },
  );
  let priorSignature = /Signature=(?<signature>\w+)/u.exec(headers['authorization'] ?? '')?.groups?.['signature'] ?? '';
  const messages: Buffer[] = [];
  const inner = payloads.map((text) =>
    codec.encode({ headers: { ':event-type': { type: 'string', value: 'chunk' } }, body: Buffer.from(text) }),
  );
  for (const body of [...inner, new Uint8Array()]) {
    const date = { ':date': { type: 'timestamp' as const, value: new Date(eventMs) } };
    const { signature } = await signer.signMessage(
      { message: { headers: date, body }, priorSignature },
      { signingDate: new Date(eventMs) },
    );
    const wrapped = { ...date, ':chunk-signature': { type: 'binary' as const, value: Buffer.from(signature, 'hex') } };
    messages.push(Buffer.from(codec.encode({ headers: wrapped, body })));
    priorSignature = signature;
  }
  return { headers, messages };
}

async function send(headers: Readonly<Record<string, string>>, messages: readonly Buffer[]) {
  emulator.setMode('InvokeModelWithBidirectionalStream', { messageDelayMs: 1 });
  return sendWire({ port: emulator.port, method: 'POST', path, headers: Object.entries(headers), body: Buffer.concat(messages) });
}

describe('a stream of signed events', () => {
  it('is taken, and told back event by event', async () => {
    const { headers, messages } = await events(['one', 'two']);
    const answer = await send(headers, messages);
    expect(answer.status).toBe(200);
    for (const told of ['one', 'two']) expect(answer.text).toContain(Buffer.from(told).toString('base64'));
    expect(emulator.log().at(-1)).toMatchObject({ payload: 'STREAMING-AWS4-HMAC-SHA256-EVENTS', verified: true, path });
  });

  it('is refused where an event is changed, left out, or comes after the end, and where the end is missing', async () => {
    const { headers, messages } = await events(['one', 'two']);
    const [first = Buffer.alloc(0), second = Buffer.alloc(0), last = Buffer.alloc(0)] = messages;
    const other = (await events(['three'])).messages[0] ?? Buffer.alloc(0);
    const flipped = Buffer.from(first);
    flipped.writeUInt8(flipped.readUInt8(40) ^ 1, 40);
    const cases: readonly (readonly [readonly Buffer[], string])[] = [
      [[other, second, last], 'InvalidSignatureException'],
      [[second, last], 'InvalidSignatureException'],
      [[flipped, second, last], 'SerializationException'],
      [[first, second], 'SerializationException'],
      [[...messages, first], 'SerializationException'],
    ];
    for (const [sent, code] of cases) {
      const { status, headers: given } = await send(headers, sent);
      expect([status === 200, given['x-amzn-errortype']]).toEqual([false, code]);
    }
  });

  it('is refused where an event is of another time than ours', async () => {
    for (const [offMs, status] of [
      [15 * 60_000, 200],
      [15 * 60_000 + 1, 403],
      [-15 * 60_000 - 1, 403],
    ] as const) {
      const { headers, messages } = await events(['one'], nowMs + offMs);
      expect((await send(headers, messages)).status).toBe(status);
    }
  });
});
