import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { bits, explicit, implicit, integer, octets, oid, sequence, set, time, truth, utf8 } from '#web-certificate/der.ts';

export interface WebKeyPair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** Browsers refuse server certificates that are good for longer, also where a person trusts them by hand. */
const DAYS = 397;
const DAY_MS = 86_400_000;

/** For a first start without a certificate of one's own: a P-256 certificate that vouches for itself alone (RFC 5280). */
export function selfSignedCertificate(options: { readonly names: readonly string[]; readonly nowMs: number }): WebKeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));
  const name = sequence(set(sequence(oid('2.5.4.3'), utf8((options.names[0] ?? 'localhost').slice(0, 64)))));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const version3 = explicit(0, integer(Buffer.from([2])));
  const validity = sequence(time(options.nowMs - 60_000), time(options.nowMs + DAYS * DAY_MS));
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const extension = (id: string, critical: boolean, value: Buffer) => sequence(oid(id), ...(critical ? [truth] : []), octets(value));
  const DIGITAL_SIGNATURE = Buffer.from([0x80]);
  const extensions = explicit(
    3,
    sequence(
      extension('2.5.29.19', true, sequence()),
      extension('2.5.29.15', true, bits(DIGITAL_SIGNATURE, 7)),
      extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'))),
      extension('2.5.29.17', false, sequence(...options.names.map(generalName))),
    ),
  );
  const body = sequence(version3, integer(serial), ecdsaWithSha256, name, validity, name, spki, extensions);
  const certificate = sequence(body, ecdsaWithSha256, bits(sign('sha256', body, privateKey)));
  return {
    certPem: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`,
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function generalName(name: string): Buffer {
  const DNS = 2;
  const IP = 7;
  if (isIP(name) === 4) return implicit(IP, Buffer.from(name.split('.').map(Number)));
  if (isIP(name) === 6) return implicit(IP, ipv6Bytes(name));
  return implicit(DNS, Buffer.from(name, 'latin1'));
}

function ipv6Bytes(address: string): Buffer {
  // The URL parser writes the canonical form; zeros are filled in at the one "::".
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...front, ...Array.from({ length: 8 - front.length - back.length }, () => '0'), ...back];
  const bytes = Buffer.alloc(16);
  for (const [i, group] of groups.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2);
  return bytes;
}
