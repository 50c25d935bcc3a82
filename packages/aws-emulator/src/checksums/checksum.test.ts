import { describe, expect, it } from 'vitest';

import { type ChecksumName, checksumNames, startChecksum } from '#checksums/checksum.ts';

// The check values of the catalogue of parametrised CRC algorithms (reveng) and of FIPS 180, over the nine digits.
const check: Readonly<Record<ChecksumName, string>> = {
  crc32: 'cbf43926',
  crc32c: 'e3069283',
  crc64nvme: 'ae8b14860a799888',
  sha1: 'f7c3bc1d808e04732adf679965ccc34ca7ae3441',
  sha256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
};

describe('a checksum', () => {
  it.each(checksumNames)('%s has its published check value, in one piece and in several', (name) => {
    const whole = startChecksum(name);
    whole.update(Buffer.from('123456789'));
    expect(whole.digest().toString('hex')).toBe(check[name]);
    const pieces = startChecksum(name);
    for (const piece of ['1234', '', '56789']) pieces.update(Buffer.from(piece));
    expect(pieces.digest().toString('hex')).toBe(check[name]);
  });
});
