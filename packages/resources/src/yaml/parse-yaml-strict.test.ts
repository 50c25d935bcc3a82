import { limits } from '@postern/limits';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { ResourceError } from '#resource-error.ts';
import { parseYamlStrict } from '#yaml/parse-yaml-strict.ts';

const schema = z.strictObject({
  name: z.string(),
  enabled: z.boolean().optional(),
  size: z.number().int().optional(),
  mode: z.enum(['fast', 'slow']).optional(),
  nested: z
    .strictObject({ db_labels: z.union([z.string(), z.array(z.string())]).optional(), db_users: z.array(z.string()).optional() })
    .optional(),
});

function refusal(text: string): string {
  try {
    parseYamlStrict(text, schema, { file: 'x.yaml' });
  } catch (error) {
    if (error instanceof ResourceError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('parseYamlStrict', () => {
  it('reads YAML and JSON into the same value', () => {
    const value = { name: 'a', enabled: true, nested: { db_users: ['x', 'y'] } };
    expect(parseYamlStrict('name: a\nenabled: true\nnested:\n  db_users: [x, y]\n', schema, { file: 'x' })).toEqual(value);
    expect(parseYamlStrict(JSON.stringify(value, null, 2), schema, { file: 'x' })).toEqual(value);
    expect(parseYamlStrict('# comment\n---\nname: a # more\n...\n', schema, { file: 'x' })).toEqual({ name: 'a' });
  });

  it.each([
    ['name: a\nnested:\n  db_labelz: b', 'x.yaml:3:3: nested.db_labelz: unknown field (did you mean db_labels?)'],
    ['name: a\nnested:\n  zzz: b', 'x.yaml:3:3: nested.zzz: unknown field'],
    ['name: 5', 'x.yaml:1:7: name: must be a text, not a number; write it in quotes'],
    ['name: true', 'x.yaml:1:7: name: must be a text, not true; write it in quotes'],
    ['name: a\nenabled: no', 'x.yaml:2:10: enabled: must be true or false, not a text'],
    ['name: a\nsize: 1.5', 'x.yaml:2:7: size: must be a whole number, not a number'],
    ['name: a\nmode: fats', 'x.yaml:2:7: mode: must be one of fast, slow (did you mean fast?)'],
    ['enabled: true', 'x.yaml:1:1: name: is missing'],
    ['name: a\nnested:\n  db_labels: {a: b}', 'x.yaml:3:14: nested.db_labels: must be a text or a list, not a map of fields'],
    ['name: a\nnested:\n  db_users:\n    - x\n    - 7', 'x.yaml:5:7: nested.db_users[1]: must be a text, not a number; write it in quotes'],
    ['- a', 'x.yaml:1:1: must be a map of fields, not a list'],
  ])('says where and what is wrong with %j', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  it.each([
    ['name: a\nname: b', '2:1: name: is given twice'],
    ['{"name": "a", "name": "b"}', '1:15: name: is given twice'],
    ['name: &a b', '1:10: name: anchors are not supported'],
    ['name: a\nnested: *x', 'aliases are not supported'],
    ['a: &a [1]\nname: *a', 'anchors are not supported'],
    ['<<: {name: b}\nname: a', 'merge keys are not supported'],
    ['name: !!js/function "f"', 'tag'],
    ['name: !!binary aGk=', 'tag'],
    ['name: !custom a', 'tag'],
    ['%YAML 1.1\n---\nname: no', '1:1: directives (%) are not supported'],
    ['1: a', "write '1' in quotes"],
    ['? [a]\n: b', 'the name of a field must be a text'],
    ['~: b', 'the name of a field must be a text'],
    ['name: a\n---\nname: b', '3:1: only one document'],
    ['', 'x.yaml: is empty'],
    ['# nothing', 'x.yaml: is empty'],
    ['name: "a', 'x.yaml:1:'],
    ['\tname: a', 'tabs are not allowed'],
    ['name:\n  *: b', "x.yaml:2:6: aliases are not supported; write a star in quotes: '*': '*'"],
    ['__proto__: {polluted: true}\nname: a', '1:1: __proto__: unknown field'],
    ['name: a\nnested: {"__proto__": 1}', '2:10: nested.__proto__: unknown field'],
    ['name: a\nconstructor: {}', 'constructor: unknown field'],
  ])('refuses what readers could take differently: %j', (text, message) => {
    expect(refusal(text)).toContain(message);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('says all that is wrong at once, one line each', () => {
    expect(refusal('nam: a\nenabled: 5').split('\n')).toHaveLength(3);
  });

  it('keeps digits that a number cannot hold', () => {
    expect(parseYamlStrict('name: 012345678901', schema, { file: 'x' }).name).toBe('012345678901');
    expect(parseYamlStrict('name: 123456789012345678901', schema, { file: 'x' }).name).toBe('123456789012345678901');
  });

  it('reads a document of a mebibyte and 64 levels, and refuses one byte and one level more [limit yamlBytes] [limit nestingDepth]', () => {
    const open = { schema: z.unknown(), file: { file: 'x' } };
    const ofBytes = (bytes: number) => `name: ${'a'.repeat(bytes - 'name: '.length)}`;
    expect(refusal(ofBytes(limits.yamlBytes))).toBe('accepted');
    expect(refusal(ofBytes(limits.yamlBytes + 1))).toContain('is larger than 1024 KiB');
    const nested = (depth: number) => () => parseYamlStrict(`${'['.repeat(depth)}${']'.repeat(depth)}`, open.schema, open.file);
    expect(nested(limits.nestingDepth)).not.toThrow();
    expect(nested(limits.nestingDepth + 1)).toThrow('deeper than 64');
  });

  // Measured in time of the processor: on a busy machine the clock says nothing. The slowest takes half a second.
  it.each([
    ['brackets', '['.repeat(20_000), 'deeper than 64'],
    ['more brackets', '['.repeat(1_000_000), 'deeper than 64'],
    ['dashes', `${'- '.repeat(20_000)}a`, 'deeper than 64'],
    ['indented maps', Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'), 'deeper than 64'],
    ['ten megabytes', `name: ${'a'.repeat(10_000_000)}`, 'is larger than 1024 KiB'],
    ['half a million values', `name: [${'1,'.repeat(500_000)}1]`, 'more than 50000 values'],
    [
      'aliases of aliases',
      Array.from({ length: 30 }, (_, level) => `a${level}: &a${level} [${level === 0 ? 'x' : `*a${level - 1}, *a${level - 1}`}]`).join(
        '\n',
      ),
      'anchors are not supported',
    ],
    ['braces in JSON', `${'{"a":'.repeat(20_000)}1`, 'deeper than 64'],
  ])('refuses %s quickly', (_, text, message) => {
    const start = process.cpuUsage();
    expect(refusal(text)).toContain(message);
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(2000);
  });
});
