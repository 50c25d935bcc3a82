import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineCells } from '#audit/query.ts';

const request = { time: 't', event: 'db.session.dynamodb.request', code: 'TDY01I', success: true, operation: 'Scan' };
const detail = (fields: object) => lineCells({ ...request, ...fields }).at(-1);

describe('a line of the audit log', () => {
  it('tells the record before AWS from the one after', () => {
    expect(detail({ phase: 'intent' })).toBe('Scan (asked)');
    expect(detail({ phase: 'outcome', status_code: 200, duration_ms: 11 })).toBe('Scan (200 in 11 ms)');
    expect(detail({ phase: 'outcome', status_code: 400 })).toBe('Scan (400)');
  });

  it('says why something was refused', () => {
    expect(lineCells({ ...request, success: false, error: 'no role allows it' }).slice(3)).toEqual([
      'refused',
      '',
      '',
      'no role allows it',
    ]);
  });

  it('is what was done where there is no phase', () => {
    expect(detail({})).toBe('Scan');
  });

  // An agent that was stolen wrote one event whose error was an object with a toString that is none: no list and no tail showed anything after it.
  it('shows what an agent may have written, whatever it is', () => {
    expect(detail({ error: { x: { toString: 1 } } })).toBe('{"x":{"toString":1}}');
    expect(detail({ error: [], reason: 'r' })).toBe('[]');
    expect(detail({ error: null, reason: 'r' })).toBe('r');
    expect(detail({ error: { toJSON: 1, toString: null, valueOf: {} }, phase: 'intent' })).toBe(
      '{"toJSON":1,"toString":null,"valueOf":{}} (asked)',
    );
    const deep = JSON.parse(`${'['.repeat(30_000)}${']'.repeat(30_000)}`) as unknown;
    expect(detail({ error: deep })).toBe('(cannot be shown)');
    expect(lineCells(JSON.parse('{"__proto__":{"user":"root"},"time":{"a":1}}') as Record<string, unknown>)).toEqual([
      '{"a":1}',
      '',
      '',
      'ok',
      '',
      '',
      '',
    ]);
  });

  it('has no cell so long that it hides the other lines', () => {
    const cells = lineCells({ ...request, event: 'k'.repeat(4096), resource: { a: 'r'.repeat(4096) }, error: 'é'.repeat(65_536) });
    expect(cells[1]).toBe(`${'k'.repeat(119)}…`);
    expect(cells.map(({ length }) => length)).toEqual([1, 120, 6, 2, 0, 120, 200]);
    expect(detail({ error: '\u{1f600}'.repeat(200) })?.isWellFormed()).toBe(true);
  });

  it('never throws, and never has more cells or longer ones', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('time', 'event', 'user', 'error', 'phase', 'status_code', 'success'), fc.jsonValue()),
        (line) => {
          const cells = lineCells(line);
          expect(cells).toHaveLength(7);
          for (const cell of cells) expect(cell.length).toBeLessThan(300);
        },
      ),
    );
  });
});
