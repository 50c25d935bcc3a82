import { limits } from '@postern/limits';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonScanner, maxJsonDepth } from '#dynamodb/json-scanner.ts';

function skips(bytes: Uint8Array, sliceBytes = 1 << 20): boolean {
  try {
    const scanner = new JsonScanner(bytes, { sliceBytes });
    while (!scanner.skipValue());
    scanner.end();
    return true;
  } catch {
    return false;
  }
}

/** The same as part of a body in which strings are gone through by words, which is done from 512 bytes on. */
const longer = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(512, ' ')]);

function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

const longText = fc.string({ unit: fc.constantFrom('a', 'a', 'a', 'é', '€', '"', '\\', '\n', '\u0001', ' '), maxLength: 200 });
const jsonText = fc.oneof(
  fc.json({ maxDepth: 5 }),
  fc.json({ maxDepth: 5 }).map((text) => JSON.stringify(JSON.parse(text), undefined, 1)),
  fc.array(longText).map((texts) => JSON.stringify(texts)),
);

describe('JsonScanner against JSON.parse', () => {
  test('whatever is JSON is skipped, whatever the slices', () => {
    fc.assert(
      fc.property(jsonText, fc.integer({ min: 1, max: 50 }), (text, sliceBytes) => {
        expect(skips(Buffer.from(text), sliceBytes)).toBe(true);
        expect(skips(longer(Buffer.from(text)), sliceBytes)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test('a byte changed, put in or taken out is judged as JSON.parse judges it', () => {
    const byte = fc.oneof(fc.constantFrom(...Buffer.from('{}[]",:\\ntfu0-+.eE19 \t\r/*\'')), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(jsonText, fc.nat(), fc.constantFrom(0, 1), fc.array(byte, { maxLength: 2 }), (text, at, removed, added) => {
        const bytes = Buffer.from(text);
        const from = at % (bytes.length + 1);
        const changed = Buffer.concat([bytes.subarray(0, from), Buffer.from(added), bytes.subarray(from + removed)]);
        const isJson = parses(changed);
        expect(skips(changed), changed.toString('latin1')).toBe(isJson);
        expect(skips(longer(changed)), `${changed.toString('latin1')} and blanks`).toBe(isJson);
      }),
      { numRuns: 10_000 },
    );
  });

  test('in a long string a quote, backslash or control character is seen at every place and alignment', () => {
    for (const odd of ['"', '\\', '\n', '\u001f', '\u007f', ' ', '\\n', '\\u00e9', '\\u00g9', '\\x']) {
      for (let at = 0; at < 48; at += 1) {
        const text = `["${'x'.repeat(at)}${odd}${'y'.repeat(48 - at)}"]`;
        for (let shift = 0; shift < 4; shift += 1) {
          for (const whole of [Buffer.from(text), longer(Buffer.from(text))]) {
            const bytes = Buffer.concat([Buffer.alloc(shift), whole]).subarray(shift);
            expect(skips(bytes), JSON.stringify(text)).toBe(parses(bytes));
          }
        }
      }
    }
  });

  test.each([
    '',
    ' ',
    '01',
    '-',
    '1.',
    '.5',
    '1e',
    '+1',
    'nul',
    'truefalse',
    'NaN',
    'Infinity',
    "'a'",
    '{a:1}',
    '[1,]',
    '{"a":1,}',
    '[,1]',
    '/**/1',
    '\ufeff1',
    '[1] 2',
    '"\ud83d"',
  ])('%j is judged as JSON.parse judges it', (text) => expect(skips(Buffer.from(text))).toBe(parses(Buffer.from(text))));

  test('bytes that are not UTF-8 are refused wherever they stand', () => {
    expect(skips(Buffer.from([0x22, 0xc3, 0xa9, 0x22]))).toBe(true);
    expect(skips(Buffer.from([0x22, 0xc3, 0x22]))).toBe(false);
    expect(skips(Buffer.from([0x22, 0xc0, 0x80, 0x22]))).toBe(false);
  });
});

describe('the limits of JsonScanner', () => {
  test('nesting of 80 is read and one more is refused [limit requestNestingDepth]', () => {
    expect(maxJsonDepth).toBe(limits.requestNestingDepth);
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const nested = (depth: number): Buffer => Buffer.from(`${open.repeat(depth)}1${close.repeat(depth)}`);
      expect(skips(nested(maxJsonDepth))).toBe(true);
      expect(skips(nested(maxJsonDepth + 1))).toBe(false);
    }
    expect(skips(Buffer.from('['.repeat(200_000)))).toBe(false);
  });

  test('an object that is read may have 1000 members, not 1001, and none twice', () => {
    const read = (names: readonly string[]): number => {
      const scanner = new JsonScanner(Buffer.from(`{${names.map((name) => `"${name}":1`).join(',')}}`), { sliceBytes: 1000 });
      let count = 0;
      const seen = scanner.enterObject();
      for (; scanner.nextName(seen) !== undefined; count += 1) while (!scanner.skipValue());
      return count;
    };
    const names = Array.from({ length: 1001 }, (_, i) => `m${i}`);
    expect(read(names.slice(0, 1000))).toBe(1000);
    expect(() => read(names)).toThrow('more members');
    expect(() => read(['a', 'a'])).toThrow('there twice');
    expect(() => read(['ab', String.raw`a\u0062`])).toThrow('there twice');
  });

  test('a string that is read may be as long as asked, with its escapes undone', () => {
    const read = (text: string, maxBytes: number): string => new JsonScanner(Buffer.from(text), { sliceBytes: 10 }).readString(maxBytes);
    expect(read(String.raw`"a\u0062\/\ud83d\ude00"`, 100)).toBe('ab/😀');
    expect(read(`"${'x'.repeat(100)}"`, 100)).toHaveLength(100);
    expect(() => read(`"${'x'.repeat(120)}"`, 100)).toThrow('longer than 100');
  });
});
