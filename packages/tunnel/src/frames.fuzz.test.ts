import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { AgentFrame, DialRequest, PosternError, ProxyFrame } from '@postern/api';
import { cases, mutated } from '@postern/pki/testing/mutated.ts';
import { Watch } from '@postern/pki/testing/watch.ts';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MessageReader } from '#raw-call/message-reader.ts';
import { dialOverLine, hearDial, LineLost } from '#reverse/line-dial.ts';
import { readAnswer, readDial, writeAnswer, writeDial } from '#reverse/dial-frame.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

let watch: Watch;
beforeEach(() => (watch = new Watch()));
afterEach(() => {
  expect(watch.slowestMs).toBeLessThan(1000);
  expect(watch.grownMiB).toBeLessThan(200);
  expect(watch.descriptorsLeft).toBeLessThanOrEqual(0);
});

/** What a reader made of some bytes; anything but an answer and a refusal of ours fails the test. */
function refusedOr<T>(read: () => T): T | 'refused' {
  try {
    return watch.time(read);
  } catch (error) {
    if (error instanceof PosternError && error.code === 'bad_request') return 'refused';
    throw error;
  }
}

describe('the dial message', () => {
  const id = Buffer.from('12345678');
  const address = Buffer.from('192.0.2.1:7');
  const request = [hex('0a'), hex('08'), id, hex('12'), Buffer.from([address.length]), address];
  const fields = [u32(Buffer.concat(request).length), ...request, Buffer.from('\x16\x03\x01head', 'latin1')];

  it.each([
    ['nothing', '', 'refused'],
    ['a length alone', '00000000', 'refused'],
    ['a length past the end', '0000000b 0a08 3132333435363738', 'refused'],
    ['the largest length', 'ffffffff', 'refused'],
    ['an id of seven bytes', '00000009 0a07 31323334353637', 'refused'],
    ['an id of nine bytes', '0000000b 0a09 313233343536373839', 'refused'],
    ['an id whose length is past its message', '0000000a 0a7f 3132333435363738', 'refused'],
    ['a length of ten bytes that never ends', '0000000c 0a ffffffffffffffffffffff', 'refused'],
    ['a field of a kind that is gone', '0000000b 0a08 3132333435363738 1b', 'refused'],
    ['an id and no address', '0000000a 0a08 3132333435363738', ''],
    ['an id twice, of which the last counts', '00000014 0a08 3131313131313131 0a08 3132333435363738', ''],
    ['a field that a later version may have', '0000000c 0a08 3132333435363738 1801', ''],
  ])('of %s is read or refused as it always was', (_what, bytes, gives) => {
    const read = refusedOr(() => readDial(hex(bytes)));
    expect(read === 'refused' ? read : read.clientAddress).toBe(gives);
    if (read !== 'refused') expect(read.resourceId).toEqual(id);
  });

  it('TN-10 is read as the generated decoder reads it, or refused, whatever becomes of its fields', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(mutated(fields), (bytes) => {
        const read = refusedOr(() => readDial(bytes));
        seen.add(read === 'refused' ? read : 'read');
        if (read === 'refused') return true;
        const length = bytes.readUInt32BE(0);
        const said = DialRequest.decode(bytes.subarray(4, 4 + length));
        const expected = { resourceId: Buffer.from(said.resourceId), clientAddress: said.clientAddress, head: bytes.subarray(4 + length) };
        return isDeepStrictEqual(read, expected) && isDeepStrictEqual(readDial(writeDial(read)), read);
      }),
      cases(5_000, 250_000),
    );
    expect([...seen].sort()).toEqual(['read', 'refused']);
  }, 300_000);

  it('TN-10 is read from a line however it is cut, with what follows left in the line, and not with a byte of it changed', async () => {
    const key = randomBytes(16);
    const dial = { resourceId: id, clientAddress: '192.0.2.1:7' };
    const head = Buffer.from('\x16\x03\x01head', 'latin1');
    // What the proxy writes, before anybody else sees it.
    const [proxy, wire] = duplexPair();
    dialOverLine({ line: proxy, key }, { ...dial, head }, { agentId: 'agent', signal: AbortSignal.timeout(60_000) }).catch(() => undefined);
    const [written] = (await once(wire, 'data')) as [Buffer];
    const sealedBytes = written.length - head.length;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.option(fc.tuple(fc.nat(sealedBytes - 1), fc.integer({ min: 1, max: 255 }))),
        async (step, change) => {
          const bytes = Buffer.from(written);
          if (change !== null) bytes.writeUInt8(bytes.readUInt8(change[0]) ^ change[1], change[0]);
          const [near, far] = duplexPair();
          const heard = hearDial({ line: far, key }, AbortSignal.timeout(5_000)).catch((error: unknown) => {
            if (error instanceof LineLost) return 'refused' as const;
            throw error;
          });
          for (let at = 0; at < bytes.length; at += step) near.write(bytes.subarray(at, at + step));
          near.end();
          const read = await heard;
          if (change !== null) return read === 'refused';
          const rest: Buffer[] = [];
          for await (const part of far as AsyncIterable<Buffer>) rest.push(part);
          return isDeepStrictEqual([read, Buffer.concat(rest)], [dial, head]);
        },
      ),
      cases(1_000, 20_000),
    );
    proxy.destroy();
  }, 300_000);

  it('TN-10 has an answer that is read in full, or refused, whatever becomes of it', () => {
    const answers = [writeAnswer(), writeAnswer('not here'), writeAnswer('x'.repeat(512))];
    fc.assert(
      fc.property(
        fc.constantFrom(...answers).chain((answer) => mutated([answer.subarray(0, 1), answer.subarray(1)])),
        (bytes) => {
          const read = refusedOr(() => readAnswer(bytes));
          if (read !== 'refused') expect(writeAnswer(read).length).toBeLessThanOrEqual(513);
        },
      ),
      cases(2_000, 100_000),
    );
  }, 300_000);
});

describe('messages of gRPC', () => {
  const MAX = 64;
  const messages = [Buffer.from('first'), Buffer.alloc(0), Buffer.alloc(MAX, 7), Buffer.from('last')];
  const fields = messages.flatMap((message) => [hex('00'), u32(message.length), message]);

  type Reading = { readonly messages: readonly Buffer[]; readonly refused: boolean };
  /** The specification, read in the plainest way: all bytes at once. */
  function plainly(bytes: Buffer): Reading {
    const found: Buffer[] = [];
    for (let at = 0; at + 5 <= bytes.length; ) {
      const length = bytes.readUInt32BE(at + 1);
      if (bytes[at] !== 0 || length > MAX) return { messages: found, refused: true };
      if (at + 5 + length > bytes.length) break;
      found.push(bytes.subarray(at + 5, at + 5 + length));
      at += 5 + length;
    }
    return { messages: found, refused: false };
  }
  function inChunks(bytes: Buffer, cuts: readonly number[]): Reading {
    const reader = new MessageReader(MAX);
    const found: Buffer[] = [];
    let parts: Buffer[] = [];
    const sink = {
      part: (part: Buffer) => void parts.push(part),
      end: () => {
        found.push(Buffer.concat(parts));
        parts = [];
        return true;
      },
    };
    let from = 0;
    for (const end of [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
      if (refusedOr(() => reader.take(bytes.subarray(from, end), sink)) === 'refused') return { messages: found, refused: true };
      from = end;
    }
    return { messages: found, refused: false };
  }

  it.each([
    ['a prefix cut short', '00000000', 0, false],
    ['an empty message', '0000000000', 1, false],
    ['a compressed one', '0100000001 61', 0, true],
    ['a flag that nobody knows', 'ff00000001 61', 0, true],
    ['one longer than may be', '0000000041', 0, true],
    ['the longest length there is', '00ffffffff', 0, true],
    ['a good one and half of another', '0000000001 61 0000000002 62', 1, false],
    ['a good one and a bad flag', '0000000001 61 02', 1, false],
  ])('that are %s are read or refused as they always were', (_what, text, count, refused) => {
    const read = inChunks(hex(text), []);
    expect([read.messages.length, read.refused]).toEqual([count, refused]);
  });

  it('TN-10 are read as by the plainest reader, whatever becomes of them and however they are cut', () => {
    const refused = new Set<boolean>();
    fc.assert(
      fc.property(mutated(fields), fc.array(fc.nat(200), { maxLength: 8 }), (bytes, cuts) => {
        const expected = plainly(bytes);
        refused.add(expected.refused);
        return isDeepStrictEqual(inChunks(bytes, cuts), expected);
      }),
      cases(5_000, 500_000),
    );
    expect(refused.size).toBe(2);
  }, 300_000);
});

describe('the frames of a tunnel’s control stream', () => {
  const resource = Buffer.from('12345678');
  const agentFields = [hex('0a'), hex('11'), hex('0a'), hex('05'), Buffer.from('0.1.0'), hex('12'), hex('08'), resource];
  const proxyFields = [hex('0a'), hex('0e'), hex('0a'), hex('05'), Buffer.from('proxy'), hex('12'), hex('05'), Buffer.from('0.1.0')];

  it('TN-10 are decoded or refused with an Error, and what is decoded is encoded the same again', () => {
    const kinds = new Set<string>();
    const different: string[] = [];
    const roundTrip = (type: typeof AgentFrame | typeof ProxyFrame, bytes: Buffer) => {
      try {
        const frame = watch.time(() => type.decode(bytes));
        kinds.add(frame.frame?.$case ?? 'none');
        const again = Buffer.from((type as typeof AgentFrame).encode(frame as AgentFrame).finish());
        if (!isDeepStrictEqual(type.decode(again), frame)) different.push(bytes.toString('hex'));
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        kinds.add('refused');
      }
    };
    fc.assert(
      fc.property(mutated(agentFields), mutated(proxyFields), (agent, proxy) => {
        roundTrip(AgentFrame, agent);
        roundTrip(ProxyFrame, proxy);
      }),
      cases(2_000, 150_000),
    );
    expect(different).toEqual([]);
    expect([...kinds]).toEqual(expect.arrayContaining(['hello', 'none', 'refused']));
  }, 300_000);
});
