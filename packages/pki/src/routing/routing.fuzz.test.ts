import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase32, toBase32 } from '#routing/base32.ts';
import { MAX_PROXY_HEADER_BYTES, proxyHeader, readProxyHeader } from '#routing/proxy-header.ts';
import { makeTicket, readTicket } from '#routing/ticket.ts';
import { cases, mutated } from '#testing/mutated.ts';
import { Watch } from '#testing/watch.ts';

const key = Buffer.alloc(32, 1);
const NOW_MS = Date.UTC(2026, 5, 1);

describe('a route ticket', () => {
  const resourceId = Buffer.from('12345678');
  const ticket = makeTicket({ resourceId, expiresMs: NOW_MS + 60_000, key });
  const bytes = fromBase32(ticket) ?? Buffer.alloc(0);
  const fields = [bytes.subarray(0, 8), bytes.subarray(8, 12), bytes.subarray(12, 20), bytes.subarray(20)];
  const read = (text: string) => readTicket({ ticket: text, keys: [key], nowMs: NOW_MS });

  it.each([
    ['empty', ''],
    ['one label too long for DNS', 'a'.repeat(64)],
    ['all of one letter', 'a'.repeat(58)],
    ['with a character of another alphabet', `${ticket.slice(0, 57)}1`],
    ['with padding', `${ticket.slice(0, 56)}==`],
    ['with a blank before it', ` ${ticket.slice(1)}`],
    ['with a NUL behind it', `${ticket}\0`],
    ['with a dot in it', `${ticket.slice(0, 29)}.${ticket.slice(30)}`],
    ['with a letter that lower case makes ASCII', `${ticket.slice(0, 57)}\u212a`],
    ['twice', `${ticket}${ticket}`],
    ['without its MAC', toBase32(bytes.subarray(0, 20))],
    ['with a MAC of zeros', toBase32(Buffer.concat([bytes.subarray(0, 20), Buffer.alloc(16)]))],
  ])('that is %s is none', (_what, text) => {
    expect(read(text)).toBeUndefined();
  });

  it('that was changed in any field is none, and as it was made it is one', () => {
    const watch = new Watch();
    let asMade = 0;
    fc.assert(
      fc.property(mutated(fields), (changed) => {
        const found = watch.time(() => read(toBase32(changed)));
        if (changed.equals(bytes)) asMade += 1;
        return (found !== undefined) === changed.equals(bytes);
      }),
      cases(5_000, 200_000),
    );
    expect(asMade).toBeGreaterThan(0);
    expect(watch.slowestMs).toBeLessThan(1000);
  }, 300_000);

  it('that was changed as a text, to anything a name may be, is none', () => {
    const pieces = [ticket.slice(0, 20), ticket.slice(20, 40), ticket.slice(40)].map((text) => Buffer.from(text, 'latin1'));
    fc.assert(
      fc.property(
        mutated(pieces),
        (changed) => (read(changed.toString('latin1')) !== undefined) === (changed.toString('latin1') === ticket),
      ),
      cases(5_000, 200_000),
    );
  }, 300_000);
});

describe('a PROXY protocol header', () => {
  const made = [
    proxyHeader({ clientAddress: '192.0.2.9', clientPort: 4711, key }),
    proxyHeader({ clientAddress: '2001:db8::9', clientPort: 1, key }),
  ];
  const read = (bytes: Buffer) => readProxyHeader({ bytes, keys: [key] });
  const hello = Buffer.from('16030102', 'hex');
  const fieldsOf = (header: Buffer) => {
    const addresses = header[13] === 0x11 ? 12 : 36;
    const ends = [12, 13, 14, 16, 16 + addresses, 17 + addresses, 19 + addresses, header.length];
    return [...ends.map((end, i) => header.subarray(ends[i - 1] ?? 0, end)), hello];
  };
  const signature = '0d0a0d0a000d0a515549540a';

  it.each([
    ['nothing', '', 'incomplete'],
    ['half a signature', '0d0a0d0a000d', 'incomplete'],
    ['a signature that differs in its last byte', '0d0a0d0a000d0a515549540b', 'absent'],
    ['a signature alone', signature, 'incomplete'],
    ['version 1', `${signature}11110000`, 'malformed'],
    ['a command that nobody knows', `${signature}22110000`, 'malformed'],
    ['a local one', `${signature}20000000`, 'unproven'],
    ['a local one that says where it is from', `${signature}2011000c${'00'.repeat(12)}`, 'unproven'],
    ['the longest length there is', `${signature}2111ffff`, 'malformed'],
    ['addresses cut short', `${signature}2111000b${'00'.repeat(11)}`, 'malformed'],
    ['a part that is longer than what holds it', `${signature}2111000f${'00'.repeat(12)}e70020`, 'malformed'],
    ['a part whose length is cut', `${signature}2111000e${'00'.repeat(12)}e700`, 'malformed'],
    ['an empty proof', `${signature}2111000f${'00'.repeat(12)}e70000`, 'unproven'],
    ['UDP', `${signature}2112000c${'00'.repeat(12)}`, 'unproven'],
    ['a socket of UNIX', `${signature}213100d8${'00'.repeat(216)}`, 'unproven'],
  ])('of %s is judged as it always was', (_what, bytes, kind) => {
    expect(read(Buffer.from(bytes, 'hex')).kind).toBe(kind);
  });

  it('is proven where it is whole and as it was made, whatever else becomes of it, and is judged alike however it comes in', () => {
    const watch = new Watch();
    const kinds = new Set<string>();
    fc.assert(
      fc.property(fc.constantFrom(...made), fc.nat(80), (header, cut) => {
        expect(read(header.subarray(0, cut % header.length)).kind).toBe('incomplete');
      }),
      cases(500, 500),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...made).chain((header) => mutated(fieldsOf(header)).map((bytes) => ({ header, bytes }))),
        ({ header, bytes }) => {
          const found = watch.time(() => read(bytes));
          kinds.add(found.kind);
          // What is proven are the addresses: a part of another type beside the proof is skipped, as the specification asks.
          const sameAddresses =
            bytes.subarray(12, 14).equals(header.subarray(12, 14)) && bytes.subarray(16, 16 + 12).equals(header.subarray(16, 28));
          if (found.kind === 'proven' && !sameAddresses) return false;
          if ('length' in found && (found.length > bytes.length || found.length > MAX_PROXY_HEADER_BYTES)) return false;
          // More bytes change nothing of what was judged, and fewer only to `incomplete`.
          const more = read(Buffer.concat([bytes, hello]));
          if (found.kind !== 'incomplete' && more.kind !== found.kind) return false;
          const fewer = read(bytes.subarray(0, Math.floor(bytes.length / 2)));
          return fewer.kind === found.kind || fewer.kind === 'incomplete' || found.kind === 'absent';
        },
      ),
      cases(5_000, 300_000),
    );
    expect([...kinds].sort()).toEqual(['absent', 'incomplete', 'malformed', 'proven', 'unproven']);
    expect(watch.slowestMs).toBeLessThan(1000);
  }, 300_000);
});
