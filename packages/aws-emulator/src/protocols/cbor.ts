import { AwsError } from '#protocols/aws-error.ts';

/** What Smithy's RPC v2 protocol puts into CBOR here: texts, numbers, lists and maps. Source: RFC 8949. */
export type Cbor = string | number | boolean | null | readonly Cbor[] | { readonly [name: string]: Cbor };

export function encodeCbor(value: Cbor): Buffer {
  if (value === null) return Buffer.from([0xf6]);
  if (typeof value === 'boolean') return Buffer.from([value ? 0xf5 : 0xf4]);
  if (typeof value === 'number') return encodeNumber(value);
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    return Buffer.concat([headOf(3, text.length), text]);
  }
  if (isList(value)) return Buffer.concat([headOf(4, value.length), ...value.map((item) => encodeCbor(item))]);
  const entries = Object.entries(value);
  return Buffer.concat([headOf(5, entries.length), ...entries.flatMap(([name, item]) => [encodeCbor(name), encodeCbor(item)])]);
}

function isList(value: Cbor): value is readonly Cbor[] {
  return Array.isArray(value);
}

function encodeNumber(value: number): Buffer {
  if (Number.isSafeInteger(value) && Math.abs(value) < 2 ** 32) return value >= 0 ? headOf(0, value) : headOf(1, -1 - value);
  const float = Buffer.alloc(9, 0xfb);
  float.writeDoubleBE(value, 1);
  return float;
}

function headOf(major: number, length: number): Buffer {
  if (length < 24) return Buffer.from([(major << 5) | length]);
  const head = Buffer.alloc(5, (major << 5) | 26);
  head.writeUInt32BE(length, 1);
  return head;
}

/** Reads one value; of lengths left open and of tags it takes what AWS's clients write. */
export function decodeCbor(bytes: Buffer): Cbor {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (!reader.atEnd()) throw malformed();
  return value;
}

function malformed(): AwsError {
  return new AwsError('SerializationException', 'the body is not CBOR');
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): Cbor {
    if (depth > 64) throw malformed();
    const first = this.#take(1)[0] ?? 0;
    const major = first >> 5;
    const minor = first & 31;
    if (major === 7) return this.#simple(minor);
    const length = minor === 31 ? undefined : this.#length(minor);
    if (major === 0 && length !== undefined) return length;
    if (major === 1 && length !== undefined) return -1 - length;
    if (major === 2 || major === 3) return this.#text(major, length);
    if (major === 4) return this.#items(length, () => this.value(depth + 1));
    if (major === 5) return Object.fromEntries(this.#items(length, () => [this.#string(depth + 1), this.value(depth + 1)] as const));
    if (major === 6) return this.value(depth + 1);
    throw malformed();
  }

  #text(major: number, length: number | undefined): string {
    if (length !== undefined) return this.#take(length).toString(major === 2 ? 'base64' : 'utf8');
    return this.#items(undefined, () => this.#string(64)).join('');
  }

  #string(depth: number): string {
    const value = this.value(depth);
    if (typeof value !== 'string') throw malformed();
    return value;
  }

  #items<T>(length: number | undefined, read: () => T): T[] {
    const items: T[] = [];
    for (;;) {
      if (length === undefined && this.#bytes[this.#at] === 0xff) {
        this.#at += 1;
        return items;
      }
      if (items.length === length) return items;
      items.push(read());
    }
  }

  #simple(minor: number): Cbor {
    if (minor === 20 || minor === 21) return minor === 21;
    if (minor === 22 || minor === 23) return null;
    if (minor === 26) return this.#take(4).readFloatBE();
    if (minor === 27) return this.#take(8).readDoubleBE();
    throw malformed();
  }

  #length(minor: number): number {
    if (minor < 24) return minor;
    if (minor === 24) return this.#take(1).readUInt8();
    if (minor === 25) return this.#take(2).readUInt16BE();
    if (minor === 26) return this.#take(4).readUInt32BE();
    if (minor === 27) return Number(this.#take(8).readBigUInt64BE());
    throw malformed();
  }

  #take(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw malformed();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
