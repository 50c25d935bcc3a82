/**
 * A map of texts in CBOR (RFC 8949): all that an error of the protocol RPC v2 holds. Texts of at most 65,535 bytes and 23 of them.
 */
export function encodeStrings(members: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(members);
  return Buffer.concat([Buffer.of(0xa0 | entries.length), ...entries.flat().map(text)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([lengthOf(bytes.length), bytes]);
}

function lengthOf(length: number): Buffer {
  if (length < 24) return Buffer.of(0x60 | length);
  if (length < 256) return Buffer.of(0x78, length);
  return Buffer.of(0x79, length >> 8, length & 0xff);
}
