import { limits } from '@postern/limits';
import { PosternError } from '#errors.ts';

const [VARINT, FIXED64, DELIMITED, FIXED32] = [0, 1, 2, 5];

/**
 * Decodes a message of protobuf that has no more fields than `limits.grpcFields`, those within its fields not counted. Two bytes are a message with
 * nothing in it, and become an object of a hundred and more: of the largest request that is taken, as many as a heap holds. Throws a
 * PosternError for more, and for what cannot be read.
 */
export function bounded<Message>(decode: (bytes: Buffer) => Message): (bytes: Buffer) => Message {
  return (bytes) => {
    // A field is two bytes at the least: what is small need not be looked at.
    if (bytes.length > 2 * limits.grpcFields) count(bytes);
    return decode(bytes);
  };
}

function count(bytes: Buffer): void {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new PosternError('bad_request', 'the request is no message of protobuf');
  };
  for (let fields = 1; at < bytes.length; fields += 1) {
    if (fields > limits.grpcFields) throw new PosternError('limit_exceeded', `a request has ${limits.grpcFields} fields at most`);
    const type = varint() & 7;
    if (type === VARINT) varint();
    else if (type === DELIMITED) {
      const length = varint();
      at += length;
    } else if (type === FIXED64) at += 8;
    else if (type === FIXED32) at += 4;
    else throw new PosternError('bad_request', 'the request is no message of protobuf 3');
  }
}
