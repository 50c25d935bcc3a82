import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sealer } from '#seal/sealer.ts';

const sealer = new Sealer(Buffer.alloc(32, 1));

describe('sealing', () => {
  it('opens what it sealed, in the same place and with the same key alone', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, place) => {
        const sealed = sealer.seal(Buffer.from(bytes), place);
        expect(sealer.open(sealed, place)).toEqual(Buffer.from(bytes));
        expect(() => sealer.open(sealed, `${place}x`)).toThrow(/does not open/);
        expect(() => new Sealer(Buffer.alloc(32, 2)).open(sealed, place)).toThrow(/sealed with key/);
      }),
    );
  });

  it('opens nothing that was changed by one bit, or cut', () => {
    const sealed = sealer.seal(Buffer.from('a private key'), 'here');
    const bytes = Buffer.from(sealed.data, 'base64');
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(i) ^ 1, i);
      expect(() => sealer.open({ ...sealed, data: changed.toString('base64') }, 'here')).toThrow(/does not open/);
      expect(() => sealer.open({ ...sealed, data: bytes.subarray(0, i).toString('base64') }, 'here')).toThrow(/does not open/);
    }
  });
});
