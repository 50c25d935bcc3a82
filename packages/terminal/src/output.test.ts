import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { cellText, durationText, jsonLine, parseDuration, parseLabels, printable, render, table } from '#output.ts';

describe('what is printed', () => {
  it('keeps control characters of other people away from the terminal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
        expect(printable(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
    expect(table(['Name'], [['\u001b]0;evil\u0007']])).toBe('Name\n---------\n?]0;evil?');
    expect(printable('alice\u200b')).toBe('alice?');
  });

  it('escapes in JSON and YAML what a terminal might obey, and the data stays what it was', async () => {
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\u{e0001}/u;
    const unseen = 'alice\u200b \ufeff\u{e0001}\u061c\ttab';
    const data = { name: 'a\u001b[31m\u009b2J', ['k\u009b']: 'lines\nand \u202e\u007fmore', yes: 'on', unseen };
    const [json, yaml] = [await render('json', data, () => ''), await render('yaml', data, () => '')];
    const line = jsonLine(data);
    expect(line.trimEnd()).not.toContain('\n');
    expect(JSON.parse(line)).toEqual(data);
    for (const text of [json, yaml, line]) expect(text).not.toMatch(obeyed);
    expect(JSON.parse(json)).toEqual(data);
    expect(parse(yaml)).toEqual(data);
  });

  it('makes a cell of any value, and cuts it', () => {
    expect([undefined, null, 'a', 1, false, { a: [1] }, []].map((value) => cellText(value, 10))).toEqual([
      '',
      '',
      'a',
      '1',
      'false',
      '{"a":[1]}',
      '[]',
    ]);
    expect(cellText('12345', 5)).toBe('12345');
    expect(cellText('123456', 5)).toBe('1234…');
    expect(() => cellText({ toString: 1, toJSON: () => undefined }, 5)).not.toThrow();
  });

  it('has the same data in every form', async () => {
    const data = [{ name: 'orders', labels: { env: 'dev' } }];
    expect(JSON.parse(await render('json', data, () => ''))).toEqual(data);
    expect(await render('yaml', data, () => '')).toBe('- name: orders\n  labels:\n    env: dev\n');
    expect(await render('yaml', { second_factor: 'off' }, () => '')).toBe('second_factor: "off"\n');
    expect(await render('text', data, () => 'orders')).toBe('orders\n');
  });
});

describe('what is read from flags', () => {
  it('takes durations as they are written, and nothing else', () => {
    expect(parseDuration('1h30m')).toBe(5_400_000);
    expect(parseDuration('1s')).toBe(1000);
    for (const wrong of ['', '30', 'm', '1h 2m', '-1h', '1.5h', '1w']) expect(() => parseDuration(wrong)).toThrow(/duration/);
    expect(durationText(5_400_000)).toBe('1h30m0s');
    expect(durationText(61_000)).toBe('1m1s');
  });

  it('takes labels, also one that is called __proto__', () => {
    expect(parseLabels('env=dev,team=a=b')).toEqual({ env: 'dev', team: 'a=b' });
    expect(Object.entries(parseLabels('__proto__=x'))).toEqual([['__proto__', 'x']]);
    expect(() => parseLabels('env')).toThrow(/key=value/);
    expect(() => parseLabels('=x')).toThrow(/key=value/);
  });
});
