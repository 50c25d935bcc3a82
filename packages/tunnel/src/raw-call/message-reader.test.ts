import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageReader } from '#raw-call/message-reader.ts';

const MAX = 100;
const framed = (message: Uint8Array) => {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

/** Messages as they are read out of chunks, stopping after each where `eager` is false, as one that reads a first message does. */
function read(chunks: readonly Buffer[], eager: boolean): Buffer[] {
  const reader = new MessageReader(MAX);
  const messages: Buffer[] = [];
  let parts: Buffer[] = [];
  const sink = {
    part: (bytes: Buffer) => void parts.push(bytes),
    end: (size: number) => {
      const message = Buffer.concat(parts);
      expect(message.length).toBe(size);
      messages.push(message);
      parts = [];
      return eager;
    },
  };
  for (const chunk of chunks) for (let rest: Buffer | undefined = chunk; rest !== undefined; ) rest = reader.take(rest, sink);
  return messages;
}

describe('messages read out of chunks', () => {
  it('are those that were sent, however the bytes are cut and wherever the reader stops', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(messages, fc.infiniteStream(fc.integer({ min: 1, max: 50 })), fc.boolean(), (sent, cuts, eager) => {
        const bytes = Buffer.concat(sent.map(framed));
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; ) {
          const chunk = bytes.subarray(at, at + (cuts.next().value as number));
          chunks.push(chunk);
          at += chunk.length;
        }
        expect(read(chunks, eager)).toEqual(sent.map((message) => Buffer.from(message)));
      }),
    );
  });

  it('are refused where they are compressed or too long, before a byte of them is taken', () => {
    expect(() => read([Buffer.from([1, 0, 0, 0, 1, 7])], true)).toThrow(/compressed/);
    expect(() => read([framed(Buffer.alloc(MAX + 1))], true)).toThrow(/101 bytes/);
    expect(read([framed(Buffer.alloc(MAX))], true)).toHaveLength(1);
  });
});
