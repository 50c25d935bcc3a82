import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentOf, DerCursor, derTag, readBoolean, readElement, readTimeMs } from '#certificates/der.ts';
import { PkiError } from '#pki-error.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const read = (text: string) => readElement(hex(text), 0, hex(text).length);

/** Written apart from the reader, as X.690 8.1.3 and 10.1 say. */
function encode(tag: number, content: Buffer): Buffer {
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const digits = content.length.toString(16);
  const length = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 + length.length]), length, content]);
}

describe('a DER element', () => {
  it('is read as it was written, whatever its length', () => {
    fc.assert(
      fc.property(fc.constantFrom(0x02, 0x04, 0x30, 0xa3), fc.oneof(fc.nat(300), fc.nat(70_000)), fc.nat(5), (tag, length, after) => {
        const content = Buffer.alloc(length, 7);
        const bytes = Buffer.concat([encode(tag, content), Buffer.alloc(after)]);
        const element = readElement(bytes, 0, bytes.length);
        expect(element.tag).toBe(tag);
        expect(contentOf(element).equals(content)).toBe(true);
        expect(element.end).toBe(bytes.length - after);
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['a tag alone', '30'],
    ['a length without its octets', '30 82 01'],
    ['an indefinite length', '30 80 00 00'],
    ['a length that could be shorter', '04 81 05 00 00 00 00 00'],
    ['a length with a leading zero', `04 82 00 80 ${'00'.repeat(128)}`],
    ['a length of five octets', '30 85 01 00 00 00 00'],
    ['more content than there is', '04 05 00'],
    ['a tag of several bytes', '1f 81 01 00'],
  ])('is refused where it is %s', (_what, bytes) => {
    expect(() => read(bytes)).toThrow(PkiError);
  });

  it('never reads past what holds it', () => {
    const outer = hex('30 03 04 02 aa bb');
    expect(() => readElement(outer, 2, 5)).toThrow('longer than what holds it');
  });
});

describe('a cursor', () => {
  it('takes what must and what may stand there, and insists on the end', () => {
    const cursor = new DerCursor(read('30 06 02 01 05 01 01 ff'));
    expect(contentOf(cursor.next(derTag.integer))).toEqual(hex('05'));
    expect(cursor.nextIf(derTag.octetString)).toBeUndefined();
    expect(() => cursor.finish()).toThrow('bytes after the last element');
    const flag = cursor.nextIf(derTag.boolean);
    expect(flag && readBoolean(flag)).toBe(true);
    cursor.finish();
    expect(() => cursor.next(derTag.integer)).toThrow(PkiError);
  });

  it('knows two booleans', () => {
    expect(readBoolean(read('01 01 00'))).toBe(false);
    expect(() => readBoolean(read('01 01 01'))).toThrow('a boolean that is not DER');
    expect(() => readBoolean(read('01 02 ff ff'))).toThrow('a boolean that is not DER');
  });
});

describe('a time', () => {
  const time = (tag: number, text: string) => readTimeMs(readElement(encode(tag, Buffer.from(text)), 0, text.length + 2));

  it('is UTCTime until 2049 and GeneralizedTime after it', () => {
    expect(time(derTag.utcTime, '491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59));
    expect(time(derTag.utcTime, '500101000000Z')).toBe(Date.UTC(1950, 0, 1));
    expect(time(derTag.generalizedTime, '20500101000000Z')).toBe(Date.UTC(2050, 0, 1));
  });

  it.each([
    ['a day that does not exist', derTag.utcTime, '260231000000Z'],
    ['a month that does not exist', derTag.utcTime, '261301000000Z'],
    ['an hour that does not exist', derTag.utcTime, '260101240000Z'],
    ['a zone', derTag.utcTime, '260101000000+0100'],
    ['no seconds', derTag.utcTime, '2601010000Z'],
    ['fractions', derTag.generalizedTime, '20500101000000.5Z'],
    ['a short year', derTag.generalizedTime, '500101000000Z'],
    ['another type', derTag.integer, '260101000000Z'],
  ])('is refused with %s', (_what, tag, text) => {
    expect(() => time(tag, text)).toThrow(PkiError);
  });
});
