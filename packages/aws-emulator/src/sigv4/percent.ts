const unreserved = /[A-Za-z0-9._~-]/u;

/** Percent-decodes into bytes; a percent sign without two hexadecimal digits stands for itself. Wire text is latin1: one char, one byte. */
export function percentDecode(text: string): Buffer {
  const plain = text.replaceAll(/%([0-9a-fA-F]{2})/gu, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(plain, 'latin1');
}

/** RFC 3986: every byte but letters, digits and - . _ ~ */
export function percentEncode(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    text += unreserved.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}
