import { Duplex } from 'node:stream';
import { createServer, type ConnectionOptions, type Server } from 'node:tls';
import { cases, mutated } from '@postern/pki/testing/mutated.ts';
import { Watch } from '@postern/pki/testing/watch.ts';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { capturedHello } from '#testing/captured-hello.ts';
import { type PeekedHello, readClientHello } from '#tcp/client-hello.ts';

const peek = (bytes: Buffer): PeekedHello => readClientHello(bytes, { maxBytes: 16 * 1024 });
const u16 = (value: number) => Buffer.from([value >> 8, value & 0xff]);

/** A hello cut into what it is made of: each length, each list, each extension's type, length and body. */
function fieldsOf(hello: Buffer): Buffer[] {
  const cuts = [1, 3, 5, 6, 9, 11, 43, 44];
  let at = 44 + (hello[43] ?? 0);
  cuts.push(at, at + 2);
  at += 2 + hello.readUInt16BE(at);
  cuts.push(at, at + 1);
  at += 1 + (hello[at] ?? 0);
  cuts.push(at, at + 2);
  at += 2;
  while (at < hello.length) {
    const [type, length] = [hello.readUInt16BE(at), hello.readUInt16BE(at + 2)];
    cuts.push(at + 2, at + 4);
    // Within server name and protocols, the lengths and types as well.
    if (type === 0) cuts.push(at + 6, at + 7, at + 9);
    if (type === 16) cuts.push(at + 6, at + 7);
    at += 4 + length;
    cuts.push(at);
  }
  const ends = [...new Set([...cuts, hello.length])].sort((a, b) => a - b);
  return ends.map((end, i) => hello.subarray(ends[i - 1] ?? 0, end));
}

/** The lengths of record, message and extensions set to what there is, so that a change within is looked at. */
function withLengthsSet(hello: Buffer): Buffer {
  const bytes = Buffer.from(hello);
  if (bytes.length < 50 || bytes.length > 16_000) return bytes;
  u16(bytes.length - 5).copy(bytes, 3);
  bytes.writeUIntBE(bytes.length - 9, 6, 3);
  let at = 44 + (bytes[43] ?? 0);
  if (at + 2 > bytes.length) return bytes;
  at += 2 + bytes.readUInt16BE(at);
  at += 1 + (bytes[at] ?? 0);
  if (at + 2 <= bytes.length) u16(bytes.length - at - 2).copy(bytes, at);
  return bytes;
}

interface Read {
  readonly serverName: string | undefined;
}

/** What OpenSSL, as a server, reads of a hello; undefined where it refuses it before it has a name. */
function readByOpenssl(server: (heard: (read: Read) => void) => Server, hello: Buffer): Promise<Read | undefined> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read: () => undefined,
      write: (_bytes, _encoding, done) => {
        done();
        finish(undefined);
      },
    });
    const tls = server((read) => finish(read));
    const finish = (read: Read | undefined) => {
      resolve(read);
      setImmediate(() => wire.destroy());
    };
    wire.on('error', () => undefined);
    tls.on('tlsClientError', () => finish(undefined));
    tls.emit('connection', wire);
    wire.push(hello);
    wire.push(null);
  });
}

let plain: Buffer;
let named: Buffer;
beforeAll(async () => {
  plain = await capturedHello();
  named = await capturedHello({ servername: 'auth.postern.internal', alpn: ['h2', 'http/1.1'] });
});

describe('a ClientHello that OpenSSL sends', () => {
  const choices: readonly ConnectionOptions[] = [
    { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
    { minVersion: 'TLSv1.3' },
    { ecdhCurve: 'P-256' },
    { ecdhCurve: 'X25519:P-256:P-384' },
    { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' },
    { sigalgs: 'ecdsa_secp256r1_sha256' },
    { requestOCSP: true },
    { ciphers: 'ALL:@SECLEVEL=0' },
  ];
  const label = fc.stringMatching(/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,20}[A-Za-z0-9])?$/);
  // A name of digits alone may be an address, which Node sends no server name for.
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => `${labels.join('.')}.example`);
  const protocols = fc.array(fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme-ascii' }), { maxLength: 8 });

  it('is read with its name and its protocols, whatever its other options', async () => {
    await fc.assert(
      fc.asyncProperty(fc.option(name, { nil: undefined }), protocols, fc.constantFrom(...choices), async (servername, alpn, options) => {
        const hello = await capturedHello({ ...(servername === undefined ? {} : { servername }), alpn, options });
        expect(peek(hello)).toEqual({ kind: 'hello', serverName: servername?.toLowerCase(), alpnProtocols: alpn });
      }),
      cases(200, 5_000),
    );
  }, 300_000);
});

describe('a ClientHello that was changed', () => {
  /** The far end: OpenSSL as a server that says what it reads and goes no further. */
  function openssl(heard: (read: Read) => void): Server {
    return createServer({
      SNICallback: (servername, done) => {
        heard({ serverName: servername });
        done(new Error('no further'));
      },
      // Heard only where there is no server name.
      ALPNCallback: ({ servername }) => {
        heard({ serverName: typeof servername === 'string' && servername !== '' ? servername : undefined });
        return undefined;
      },
    });
  }

  it.each([
    ['an extension that says it is longer than all of them', (hello: Buffer) => hello.subarray(0, -1), 'malformed'],
    ['a byte behind it', (hello: Buffer) => Buffer.concat([hello, Buffer.from([0])]), 'hello'],
    ['no body', () => Buffer.from('1603010004 01000000'.replace(' ', ''), 'hex'), 'malformed'],
    ['a name in two records', (hello: Buffer) => inRecords(hello, 60), 'hello'],
    [
      'a record of another kind between',
      (hello: Buffer) => Buffer.concat([inRecords(hello, 60).subarray(0, 65), Buffer.from('140303000101', 'hex')]),
      'malformed',
    ],
    ['an alert before it', (hello: Buffer) => Buffer.concat([Buffer.from('15030300020100', 'hex'), hello]), 'malformed'],
  ])('by %s is judged as it always was', (_what, change, kind) => {
    const made = change(named);
    expect(peek(kind === 'malformed' && made.length === named.length - 1 ? withLengthsSet(made) : made).kind).toBe(kind);
  });

  it('ED-13 is answered and never thrown, at once', () => {
    const watch = new Watch();
    const kinds = new Set<string>();
    fc.assert(
      fc.property(
        fc.constantFrom(plain, named).chain((hello) => mutated(fieldsOf(hello))),
        fc.boolean(),
        (bytes, set) => void kinds.add(watch.time(() => peek(set ? withLengthsSet(bytes) : bytes)).kind),
      ),
      cases(10_000, 500_000),
    );
    expect([...kinds].sort()).toEqual(['hello', 'incomplete', 'malformed']);
    expect(watch.slowestMs).toBeLessThan(1000);
    expect(watch.grownMiB).toBeLessThan(200);
  }, 300_000);

  it('ED-13 is not routed by a name that OpenSSL at the far end reads in another way', async () => {
    let agreed = 0;
    await fc.assert(
      fc.asyncProperty(mutated(fieldsOf(named)), async (bytes) => {
        const hello = withLengthsSet(bytes);
        const peeked = peek(hello);
        if (peeked.kind !== 'hello') return;
        const far = await readByOpenssl(openssl, hello);
        if (far === undefined) return;
        agreed += 1;
        expect(peeked.serverName).toBe(far.serverName?.toLowerCase());
      }),
      cases(1_000, 20_000),
    );
    expect(agreed).toBeGreaterThan(50);
  }, 300_000);
});

function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1]), u16(part.length), part);
  }
  return Buffer.concat(records);
}
