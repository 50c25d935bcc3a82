import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { toJson, toYaml } from '#print-resources.ts';

it.each([' \n', '\n', ' \n\n', '\n ', '  \n \n', ' a\n', '\t\n', '" \n', '\n\n'])(
  'reads %j back as what it was, as a value and as a key',
  (text) => {
    const resource = {
      kind: 'db',
      version: 'v3',
      metadata: { name: 'x', description: text },
      spec: { list: [text], [text]: text },
    } as never;
    expect(parse(toYaml([resource]))).toMatchObject({ metadata: { description: text }, spec: { list: [text], [text]: text } });
  },
);

// A C1 control character (CSI is U+009B) passed through JSON and YAML unescaped, in a description that an agent chose.
it('prints what drives a terminal as escapes, which read back as what they were', () => {
  const hostile = fc.string({
    unit: fc.constantFrom('a', ' ', '\n', '\t', '\u001b', '\u007f', '\u009b', '\u202e', '\u2028', '\u{e0041}', '"', ':', '\\'),
  });
  fc.assert(
    fc.property(hostile, hostile, (key, value) => {
      const spec = { [`k${key}`]: value, list: [value] };
      const resource = { kind: 'db', version: 'v3', metadata: { name: 'x', description: value }, spec } as never;
      for (const text of [toJson([resource]), toYaml([resource])]) {
        expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }
      expect(JSON.parse(toJson([resource]))).toMatchObject([{ spec }]);
      expect(parse(toYaml([resource]))).toMatchObject({ spec, metadata: { description: value } });
    }),
    { numRuns: 500 },
  );
});
