/** A running checksum; `digest` gives its bytes in network order. */
export interface RunningChecksum {
  update(data: Buffer): void;
  digest(): Buffer;
}

/** CRC-32C, the polynomial of Castagnoli. Source: RFC 3720, appendix B.4. */
export class Crc32c implements RunningChecksum {
  static readonly #table = Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    return value >>> 0;
  });
  #value = 0xffffffff;

  update(data: Buffer): void {
    let value = this.#value;
    for (const byte of data) value = (Crc32c.#table[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
    this.#value = value >>> 0;
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE((this.#value ^ 0xffffffff) >>> 0);
    return bytes;
  }
}

/**
 * CRC-64/NVME, in two halves of 32 bits because a BigInt a byte is too slow for an upload. Source: NVM Express NVM command set
 * specification, 64b CRC; polynomial 0xad93d23594c93659, reflected, all ones at both ends.
 */
export class Crc64Nvme implements RunningChecksum {
  static readonly #highs = new Uint32Array(256);
  static readonly #lows = new Uint32Array(256);
  static {
    const reflected = 0x9a6c9329ac4bc9b5n;
    for (let index = 0; index < 256; index += 1) {
      let value = BigInt(index);
      for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ reflected : value >> 1n;
      Crc64Nvme.#highs[index] = Number(value >> 32n);
      Crc64Nvme.#lows[index] = Number(value & 0xffffffffn);
    }
  }
  #high = 0xffffffff;
  #low = 0xffffffff;

  update(data: Buffer): void {
    let high = this.#high;
    let low = this.#low;
    for (const byte of data) {
      const index = (low ^ byte) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (Crc64Nvme.#lows[index] ?? 0);
      high = (high >>> 8) ^ (Crc64Nvme.#highs[index] ?? 0);
    }
    this.#high = high >>> 0;
    this.#low = low >>> 0;
  }

  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE((this.#high ^ 0xffffffff) >>> 0, 0);
    bytes.writeUInt32BE((this.#low ^ 0xffffffff) >>> 0, 4);
    return bytes;
  }
}
