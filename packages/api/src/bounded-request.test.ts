import { AppendEventsRequest, type AuditEvent } from '#gen/postern/v1/audit.ts';
import { limits } from '@postern/limits';
import { describe, expect, it } from 'vitest';
import { bounded } from '#bounded-request.ts';

let decoded = 0;
const decode = bounded((bytes) => {
  decoded += 1;
  return AppendEventsRequest.decode(bytes);
});
const nothing = (count: number) => Buffer.alloc(2 * count, Buffer.from([0x0a, 0x00]));
const events = (count: number): Buffer => {
  const event = { id: 'an id', kind: 'db.session.start', timeMs: 1_900_000_000_000, user: 'alice', fieldsJson: Buffer.from('{"a":1}') };
  return Buffer.from(AppendEventsRequest.encode({ events: Array.from({ length: count }, () => event as unknown as AuditEvent) }).finish());
};

describe('a request', () => {
  it('has so many fields and not one more, which is refused before anything of it is decoded [limit grpcFields]', () => {
    expect(decode(nothing(limits.grpcFields)).events).toHaveLength(limits.grpcFields);
    expect(decode(events(limits.grpcFields)).events).toHaveLength(limits.grpcFields);
    decoded = 0;
    for (const bytes of [nothing(limits.grpcFields + 1), events(limits.grpcFields + 1), nothing(2 ** 21)])
      expect(() => decode(bytes)).toThrow(expect.objectContaining({ code: 'limit_exceeded' }));
    expect(decoded).toBe(0);
  });

  it('is counted as what it is, whatever its fields are', () => {
    const number = Buffer.from([0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    const fixed64 = Buffer.from([0x11, 1, 2, 3, 4, 5, 6, 7, 8]);
    const fixed32 = Buffer.from([0x1d, 1, 2, 3, 4]);
    const text = Buffer.concat([Buffer.from([0x22, 0x80, 0x02]), Buffer.alloc(256, 0xff)]);
    const each = Buffer.concat([number, fixed64, fixed32, text]);
    const most = Math.floor(limits.grpcFields / 4);
    const read = bounded((bytes) => bytes.length);
    expect(read(Buffer.concat(Array.from({ length: most }, () => each)))).toBe(most * each.length);
    expect(() => read(Buffer.concat(Array.from({ length: most + 1 }, () => each)))).toThrow(/fields at most/);
  });

  it.each([
    ['ends in a length', Buffer.concat([nothing(limits.grpcFields), Buffer.from([0x0a])])],
    ['has a number without end', Buffer.concat([nothing(limits.grpcFields - 1), Buffer.alloc(12, 0xff)])],
    ['has groups', Buffer.alloc(3 * limits.grpcFields, 0x0b)],
  ])('that %s is refused in words', (_what, bytes) => {
    expect(() => decode(bytes)).toThrow(/no message of protobuf|fields at most/);
  });
});
