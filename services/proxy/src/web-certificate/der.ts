/** As much of DER (X.690) as a certificate takes. */
const tlv = (tag: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x100) return Buffer.from([0x81, length]);
  return Buffer.from([0x82, length >> 8, length & 0xff]);
}

export const sequence = (...parts: readonly Buffer[]): Buffer => tlv(0x30, Buffer.concat(parts));
export const set = (...parts: readonly Buffer[]): Buffer => tlv(0x31, Buffer.concat(parts));
export const octets = (body: Buffer): Buffer => tlv(0x04, body);
export const bits = (body: Buffer, unused = 0): Buffer => tlv(0x03, Buffer.concat([Buffer.from([unused]), body]));
export const utf8 = (text: string): Buffer => tlv(0x0c, Buffer.from(text));
export const truth = Buffer.from([0x01, 0x01, 0xff]);
export const explicit = (tag: number, body: Buffer): Buffer => tlv(0xa0 | tag, body);
export const implicit = (tag: number, body: Buffer): Buffer => tlv(0x80 | tag, body);
/** `bytes` as an unsigned number. */
export const integer = (bytes: Buffer): Buffer => tlv(0x02, (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const groups = [first * 40 + second, ...rest].map((value) => {
    const group = [value & 0x7f];
    for (let left = value >> 7; left > 0; left >>= 7) group.unshift((left & 0x7f) | 0x80);
    return Buffer.from(group);
  });
  return tlv(0x06, Buffer.concat(groups));
}

/** GeneralizedTime, which RFC 5280 asks for from 2050 on and UTCTime before. */
export function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return Number(text.slice(0, 4)) >= 2050 ? tlv(0x18, Buffer.from(text)) : tlv(0x17, Buffer.from(text.slice(2)));
}
