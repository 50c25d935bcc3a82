import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_PROXY_HEADER_BYTES, proxyHeader, readProxyHeader } from '#routing/proxy-header.ts';
import { makeTicket } from '#routing/ticket.ts';

const key = Buffer.alloc(32, 1);
const other = Buffer.alloc(32, 2);
const header = (clientAddress = '203.0.113.9', clientPort = 51_234) => proxyHeader({ clientAddress, clientPort, key });
const read = (bytes: Buffer, keys: readonly Buffer[] = [key]) => readProxyHeader({ bytes, keys });

describe('a PROXY header', () => {
  it('is laid out as HAProxy’s specification says', () => {
    const bytes = header('203.0.113.9', 0xc822);
    expect(bytes.subarray(0, 12).toString('latin1')).toBe('\r\n\r\n\0\r\nQUIT\n');
    expect(bytes[12]).toBe(0x21);
    expect(bytes[13]).toBe(0x11);
    expect(bytes.readUInt16BE(14)).toBe(bytes.length - 16);
    expect([...bytes.subarray(16, 28)]).toEqual([203, 0, 113, 9, 0, 0, 0, 0, 0xc8, 0x22, 0, 0]);
    expect([...bytes.subarray(28, 31)]).toEqual([0xe7, 0, 32]);
  });

  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['2001:db8::1', '2001:db8::1'],
    ['::1', '::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('brings %s as %s, with the bytes after it untouched', (clientAddress, expected) => {
    const bytes = header(clientAddress);
    expect(read(Buffer.concat([bytes, Buffer.from('\x16\x03\x01')]))).toEqual({
      kind: 'proven',
      length: bytes.length,
      clientAddress: expected,
      clientPort: 51_234,
    });
  });

  it('comes back for every address and port', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(65_535), (clientAddress, clientPort) => {
        const found = read(proxyHeader({ clientAddress, clientPort, key }), [other, key]);
        expect(found).toMatchObject({ kind: 'proven', clientPort });
        // Written again from what was read, it is the same header.
        if (found.kind === 'proven')
          expect(proxyHeader({ clientAddress: found.clientAddress, clientPort, key })).toEqual(
            proxyHeader({ clientAddress, clientPort, key }),
          );
      }),
    );
  });

  it('may arrive byte by byte', () => {
    for (const bytes of [header(), header('2001:db8::1')]) {
      for (let length = 0; length < bytes.length; length++) expect(read(bytes.subarray(0, length)).kind).toBe('incomplete');
      expect(read(bytes).kind).toBe('proven');
    }
  });

  it('is absent where a connection begins with TLS, HTTP or version 1', () => {
    for (const bytes of ['\x16\x03\x01\x02', 'GET / HTTP/1.1\r\n', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n', '\r\nx'])
      expect(read(Buffer.from(bytes, 'latin1'))).toEqual({ kind: 'absent' });
  });

  it('proves nothing with another key, with none, or with any byte of it changed', () => {
    const bytes = header();
    expect(read(bytes, [other])).toEqual({ kind: 'unproven', length: bytes.length });
    expect(read(bytes, [])).toEqual({ kind: 'unproven', length: bytes.length });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const forged = Buffer.from(bytes);
        forged[at] = (forged[at] ?? 0) ^ flip;
        expect(read(forged).kind).not.toBe('proven');
      }),
      { numRuns: 2000 },
    );
  });

  it('proves nothing with two proofs, even where one is good', () => {
    const bytes = header();
    const doubled = Buffer.concat([bytes, bytes.subarray(28)]);
    doubled.writeUInt16BE(doubled.length - 16, 14);
    expect(read(doubled).kind).toBe('unproven');
  });

  it('is not proven by the MAC of a ticket made with the same key', () => {
    const ticket = makeTicket({ resourceId: Buffer.alloc(8), expiresMs: 1_900_000_000_000, key });
    expect(ticket).toHaveLength(58);
    const bytes = header();
    bytes.fill(ticket.slice(0, 32), 31);
    expect(read(bytes).kind).toBe('unproven');
  });

  it('of a health check says nothing of an address', () => {
    const local = Buffer.concat([header().subarray(0, 12), Buffer.from([0x20, 0, 0, 0])]);
    expect(read(local)).toEqual({ kind: 'unproven', length: 16 });
  });

  it.each([
    ['another version', 12, 0x11],
    ['another command', 12, 0x22],
  ])('of %s closes the connection', (_what, at, value) => {
    const bytes = header();
    bytes[at] = value;
    expect(read(bytes)).toEqual({ kind: 'malformed' });
  });

  it('longer than the bound is refused before it is awaited', () => {
    const bytes = header().subarray(0, 16);
    bytes.writeUInt16BE(MAX_PROXY_HEADER_BYTES, 14);
    expect(read(bytes)).toEqual({ kind: 'malformed' });
  });

  it('never throws, whatever follows the signature', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0x20, 0x21),
        fc.constantFrom(0x11, 0x21, 0x31, 0),
        fc.uint8Array({ maxLength: 600 }),
        (command, family, rest) => {
          const bytes = Buffer.concat([header().subarray(0, 12), Buffer.from([command, family]), Buffer.from(rest)]);
          const found = read(bytes);
          if ('length' in found) expect(found.length).toBeLessThanOrEqual(bytes.length);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('is not made for what is no address', () => {
    for (const clientAddress of ['', 'localhost', '1.2.3', '1.2.3.4.5', '::g', 'unknown'])
      expect(() => header(clientAddress)).toThrow('not an IP address');
  });
});
