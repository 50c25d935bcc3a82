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
});
