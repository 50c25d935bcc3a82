import { crc32 } from 'node:zlib';

/** A header's value: text, bytes, or a time in milliseconds. The other types do not occur here. */
export type EventHeader = string | Buffer | Date;

export interface EventMessage {
  readonly headers: Readonly<Record<string, EventHeader>>;
  readonly payload: Buffer;
}

const preludeBytes = 12;
const overheadBytes = 16;

/** application/vnd.amazon.eventstream: lengths, their CRC-32, headers, payload, CRC-32 of all. Source: Smithy, "Amazon Event Stream". */
export function encodeMessage({ headers, payload }: EventMessage): Buffer {
  const block = encodeHeaders(headers);
  const message = Buffer.alloc(overheadBytes + block.length + payload.length);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(block.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  block.copy(message, preludeBytes);
  payload.copy(message, preludeBytes + block.length);
  message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4);
  return message;
}

export function encodeHeaders(headers: EventMessage['headers']): Buffer {
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [Buffer.from([name.length]), Buffer.from(name), encodeValue(value)]),
  );
}

function encodeValue(value: EventHeader): Buffer {
  if (value instanceof Date) {
    const time = Buffer.alloc(9, 8);
    time.writeBigInt64BE(BigInt(value.getTime()), 1);
    return time;
  }
  const bytes = Buffer.from(value as string);
  const head = Buffer.alloc(3, typeof value === 'string' ? 7 : 6);
  head.writeUInt16BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** One message at the beginning of the bytes, and how long it is; undefined where more has to come. Throws where a checksum is wrong. */
export function decodeMessage(bytes: Buffer, maxBytes: number): { readonly message: EventMessage; readonly length: number } | undefined {
  if (bytes.length < preludeBytes) return undefined;
  const length = bytes.readUInt32BE(0);
  const headersLength = bytes.readUInt32BE(4);
  if (bytes.readUInt32BE(8) !== crc32(bytes.subarray(0, 8))) throw new Error('the checksum of the prelude does not match');
  if (length > maxBytes || headersLength + overheadBytes > length) throw new Error('the lengths of the prelude are out of bounds');
  if (bytes.length < length) return undefined;
  if (bytes.readUInt32BE(length - 4) !== crc32(bytes.subarray(0, length - 4)))
    throw new Error('the checksum of the message does not match');
  const headersEnd = preludeBytes + headersLength;
  return {
    message: { headers: decodeHeaders(bytes.subarray(preludeBytes, headersEnd)), payload: bytes.subarray(headersEnd, length - 4) },
    length,
  };
}

function decodeHeaders(block: Buffer): Readonly<Record<string, EventHeader>> {
  const headers: Record<string, EventHeader> = {};
  let at = 0;
  while (at < block.length) {
    const nameEnd = at + 1 + block.readUInt8(at);
    const name = block.toString('utf8', at + 1, nameEnd);
    const type = block.readUInt8(nameEnd);
    if (type === 8) {
      headers[name] = new Date(Number(block.readBigInt64BE(nameEnd + 1)));
      at = nameEnd + 9;
      continue;
    }
    if (type !== 6 && type !== 7) throw new Error(`the header ${name} has the type ${type}, which is not read here`);
    const end = nameEnd + 3 + block.readUInt16BE(nameEnd + 1);
    const value = block.subarray(nameEnd + 3, end);
    if (end > block.length) throw new Error(`the header ${name} is longer than the block`);
    headers[name] = type === 7 ? value.toString('utf8') : value;
    at = end;
  }
  return headers;
}
