import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { capturedHello } from '#testing/captured-hello.ts';
import { alerts, readClientHello } from '#tcp/client-hello.ts';

const limits = { maxBytes: 16 * 1024 };
let real: Buffer;
beforeAll(async () => {
  real = await capturedHello({ servername: 'Auth.Postern.internal', alpn: ['h2', 'http/1.1'] });
});
const expected = { kind: 'hello', serverName: 'auth.postern.internal', alpnProtocols: ['h2', 'http/1.1'] };

/** The handshake message of a hello, cut into records anew. */
function inRecordsOf(bytes: Buffer, size: number): Buffer {
  const message = bytes.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  return Buffer.concat(records);
}

/** A hello built by hand around one list of extensions. */
function helloWith(extensions: readonly (readonly [number, Buffer])[]): Buffer {
  const u16 = (n: number) => Buffer.from([n >> 8, n & 0xff]);
  const list = Buffer.concat(extensions.flatMap(([type, body]) => [u16(type), u16(body.length), body]));
  const body = Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(32, 7), Buffer.from([0, 0, 2, 0x13, 1, 1, 0]), u16(list.length), list]);
  const message = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
  return Buffer.concat([Buffer.from([22, 3, 1]), u16(message.length), message]);
}
const sni = (...names: readonly string[]): readonly [number, Buffer] => {
  const entries = Buffer.concat(
    names.map((name) => Buffer.concat([Buffer.from([0, name.length >> 8, name.length & 0xff]), Buffer.from(name, 'latin1')])),
  );
  return [0, Buffer.concat([Buffer.from([entries.length >> 8, entries.length & 0xff]), entries])];
};

describe('reading a ClientHello', () => {
  it('finds server name and protocols in what OpenSSL sends, and says where there are none', async () => {
    expect(readClientHello(real, limits)).toEqual(expected);
    expect(readClientHello(await capturedHello(), limits)).toEqual({ kind: 'hello', serverName: undefined, alpnProtocols: [] });
  });

  it('waits for the rest whatever the cut, and asks for no more than there is', () => {
    for (let length = 0; length < real.length; length++) {
      const peeked = readClientHello(real.subarray(0, length), limits);
      expect(peeked.kind).toBe('incomplete');
      if (peeked.kind === 'incomplete') expect(peeked.needBytes).toBeGreaterThan(length);
      if (peeked.kind === 'incomplete') expect(peeked.needBytes).toBeLessThanOrEqual(real.length);
    }
  });

  it('reads it out of records of any size, single bytes too', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: real.length }), (size) => {
        expect(readClientHello(inRecordsOf(real, size), limits)).toEqual(expected);
      }),
    );
  });

  it('ED-13 answers, and does not throw, for any change of any byte and any bytes at all', () => {
    const answers = new Set<string>();
    fc.assert(
      fc.property(fc.nat(real.length - 1), fc.nat(255), fc.nat(real.length), (at, value, length) => {
        const changed = Buffer.from(real);
        changed[at] = value;
        answers.add(readClientHello(changed.subarray(0, length), limits).kind);
        answers.add(readClientHello(changed, limits).kind);
      }),
      { numRuns: 20_000 },
    );
    expect([...answers].sort()).toEqual(['hello', 'incomplete', 'malformed']);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        readClientHello(Buffer.from(bytes), limits);
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n'), alerts.unexpectedMessage],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), alerts.decodeError],
    ['a record over 16 KiB', Buffer.from([22, 3, 1, 0x40, 1]), alerts.decodeError],
    ['a ServerHello', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), alerts.unexpectedMessage],
    ['a message of 16 MiB', Buffer.from([22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]), alerts.decodeError],
    ['version 2', Buffer.from([22, 2, 0]), alerts.decodeError],
  ])('refuses %s', (_what, bytes, alert) => {
    expect(readClientHello(bytes, limits)).toMatchObject({ kind: 'malformed', alert });
  });

  it.each([
    ['an empty name', [sni('')]],
    ['256 characters', [sni(`${'a'.repeat(63)}.`.repeat(4))]],
    ['two names', [sni('a.example', 'b.example')]],
    ['two name extensions', [sni('a.example'), sni('b.example')]],
    ['dots alone', [sni('..')]],
    ['bytes that are no letters', [sni('b\u00fccher.example')]],
    ['a NUL in the name', [sni('auth.postern.internal\0.evil.example')]],
    ['a trailing dot', [sni('auth.postern.internal.')]],
    ['a name of an unknown type', [[0, Buffer.from([0, 4, 9, 0, 1, 97])] as const]],
    ['an empty list of protocols', [[16, Buffer.from([0, 0])] as const]],
  ])('refuses a server name or protocol list with %s', (_what, extensions) => {
    expect(readClientHello(helloWith(extensions), limits).kind).toBe('malformed');
  });

  it('takes what is odd and allowed: no extensions, an unknown extension, an underscore', () => {
    expect(readClientHello(helloWith([]), limits)).toMatchObject({ kind: 'hello', serverName: undefined });
    expect(readClientHello(helloWith([[0xfafa, Buffer.alloc(9)], sni('my_host.example')]), limits)).toMatchObject({
      serverName: 'my_host.example',
    });
  });

  it('refuses a hello that would grow over the limit, before it has come', () => {
    const large = helloWith([[21, Buffer.alloc(15_000)]]);
    expect(readClientHello(large, limits).kind).toBe('hello');
    expect(readClientHello(large.subarray(0, 9), { maxBytes: 8_000 })).toMatchObject({ kind: 'malformed' });
  });
});
