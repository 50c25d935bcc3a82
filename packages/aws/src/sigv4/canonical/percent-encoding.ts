/** RFC 3986 unreserved bytes: the only ones SigV4 leaves as they are. */
const unreserved = new Uint8Array(256);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~') unreserved[char.charCodeAt(0)] = 1;

const encodedByte: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  unreserved[byte] === 1 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
);

/**
 * Node hands the request line over as latin1, one character a byte; only a test or a caller with its own string brings wider characters,
 * and those mean UTF-8.
 */
export function wireBytes(text: string): Buffer {
  const latin1 = Buffer.from(text, 'latin1');
  return latin1.toString('latin1') === text ? latin1 : Buffer.from(text, 'utf8');
}

/** Encodes each byte that is not unreserved; '/' stays when it separates segments. */
export function encodeBytes(bytes: Uint8Array, options: { readonly keepSlash: boolean }): string {
  let out = '';
  for (const byte of bytes) out += byte === 0x2f && options.keepSlash ? '/' : (encodedByte[byte] ?? '');
  return out;
}

/** Decodes %XX; a lone '%' is itself, and '+' is a plus, as SigV4 has it (form decoding would make it a space). */
export function decodePercent(raw: string): Uint8Array {
  const bytes = wireBytes(raw);
  if (!bytes.includes(0x25)) return bytes;
  const out = new Uint8Array(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] ?? 0;
    const high = byte === 0x25 ? hexDigit(bytes[i + 1]) : -1;
    const low = high < 0 ? -1 : hexDigit(bytes[i + 2]);
    if (low >= 0) {
      out[length] = high * 16 + low;
      i += 2;
    } else {
      out[length] = byte;
    }
    length += 1;
  }
  return out.subarray(0, length);
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
