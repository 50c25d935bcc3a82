import { crc32 } from 'node:zlib';

/**
 * The outer message of a signed event stream: a prelude of twelve bytes (length, length of headers, CRC-32 of both), headers, payload,
 * CRC-32 of all before. It has two headers, `:date` (a time in milliseconds) and `:chunk-signature` (32 bytes), and a payload that is itself
 * a message, or nothing at the end of the stream.
 * Source: https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
 */
export type SignedMessage = {
  readonly dateMs: number;
  /** hex */
  readonly signature: string;
  readonly payload: Buffer;
};

export const PRELUDE_BYTES = 12;
const CRC_BYTES = 4;
const TIMESTAMP = 8;
const BYTE_ARRAY = 6;
const SIGNATURE_BYTES = 32;
/** `:date` and `:chunk-signature` with their types and lengths. */
const HEADER_BYTES = 1 + 5 + 1 + 8 + (1 + 16 + 1 + 2 + SIGNATURE_BYTES);

/** How long a message is, from its first twelve bytes; undefined where they are damaged. */
export function messageLength(prelude: Buffer): number | undefined {
  if (crc32(prelude.subarray(0, 8)) !== prelude.readUInt32BE(8)) return undefined;
  const total = prelude.readUInt32BE(0);
  return total < PRELUDE_BYTES + prelude.readUInt32BE(4) + CRC_BYTES ? undefined : total;
}

/** Of a whole message, as messageLength says. Undefined where a check sum is wrong or the headers are not those two. */
export function readSignedMessage(message: Buffer): SignedMessage | undefined {
  const end = message.length - CRC_BYTES;
  if (crc32(message.subarray(0, end)) !== message.readUInt32BE(end)) return undefined;
  const payloadAt = PRELUDE_BYTES + message.readUInt32BE(4);
  if (payloadAt !== PRELUDE_BYTES + HEADER_BYTES) return undefined;
  let dateMs: number | undefined;
  let signature: string | undefined;
  for (let at = PRELUDE_BYTES; at < payloadAt; ) {
    const valueAt = at + 1 + (message[at] ?? 0) + 1;
    const name = message.toString('latin1', at + 1, valueAt - 1);
    const type = message[valueAt - 1];
    if (name === ':date' && type === TIMESTAMP && valueAt + 8 <= payloadAt) {
      dateMs = Number(message.readBigInt64BE(valueAt));
      at = valueAt + 8;
    } else if (name === ':chunk-signature' && type === BYTE_ARRAY && valueAt + 2 + SIGNATURE_BYTES <= payloadAt) {
      if (message.readUInt16BE(valueAt) !== SIGNATURE_BYTES) return undefined;
      signature = message.toString('hex', valueAt + 2, valueAt + 2 + SIGNATURE_BYTES);
      at = valueAt + 2 + SIGNATURE_BYTES;
    } else return undefined;
  }
  if (dateMs === undefined || signature === undefined || !isTime(dateMs)) return undefined;
  return { dateMs, signature, payload: message.subarray(payloadAt, end) };
}

export function writeSignedMessage({ dateMs, signature, payload }: SignedMessage): Buffer {
  const length = PRELUDE_BYTES + HEADER_BYTES + payload.length + CRC_BYTES;
  const message = Buffer.allocUnsafeSlow(length);
  message.writeUInt32BE(length, 0);
  message.writeUInt32BE(HEADER_BYTES, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  let at = PRELUDE_BYTES + dateHeader(dateMs).copy(message, PRELUDE_BYTES);
  message[at] = 16;
  at += 1 + message.write(':chunk-signature', at + 1, 'latin1');
  message[at] = BYTE_ARRAY;
  at = message.writeUInt16BE(SIGNATURE_BYTES, at + 1);
  at += message.write(signature, at, 'hex');
  at += payload.copy(message, at);
  message.writeUInt32BE(crc32(message.subarray(0, at)), at);
  return message;
}

/** The header `:date` as it is encoded, of which the signature covers the hash. */
export function dateHeader(dateMs: number): Buffer {
  const header = Buffer.alloc(15);
  header[0] = 5;
  header.write(':date', 1, 'latin1');
  header[6] = TIMESTAMP;
  header.writeBigInt64BE(BigInt(dateMs), 7);
  return header;
}

/** From 1970 to 9999, of which amzDate can write every one. */
function isTime(ms: number): boolean {
  return ms >= 0 && ms < 253_402_300_800_000;
}
