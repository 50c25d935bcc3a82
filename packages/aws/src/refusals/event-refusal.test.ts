import { EventStreamCodec } from '@smithy/core/event-streams';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventBoundaries, eventRefusal } from '#refusals/event-refusal.ts';

// Read by @smithy's codec, as the JavaScript SDK does.
const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
);

describe('a refusal within an event stream', () => {
  it('is an error with its code and its sentence', () => {
    const { headers, body } = codec.decode(eventRefusal('bad_signature', 'the signature of “this” message'));
    expect(headers).toEqual({
      ':message-type': { type: 'string', value: 'error' },
      ':error-code': { type: 'string', value: 'InvalidSignatureException' },
      ':error-message': { type: 'string', value: 'the signature of “this” message' },
    });
    expect(body).toHaveLength(0);
  });

  it('has its place between two messages, however the bytes were cut, and nowhere else', () => {
    const message = eventRefusal('denied', 'x');
    const wire = Buffer.concat([message, message, message]);
    fc.assert(
      fc.property(fc.nat(wire.length), fc.nat(wire.length), (one, other) => {
        const [from = 0, to = 0] = [one, other].toSorted((a, b) => a - b);
        const boundaries = new EventBoundaries();
        for (const piece of [wire.subarray(0, from), wire.subarray(from, to)]) boundaries.take(piece);
        expect(boundaries.between).toBe(to % message.length === 0);
      }),
    );
    const lost = new EventBoundaries();
    lost.take(Buffer.alloc(12));
    expect(lost.between).toBe(false);
  });
});
