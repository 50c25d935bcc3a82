import { describe, expect, it } from 'vitest';
import { parseAnswerHead, parseRequestHead } from '#grammar/parse-head.ts';
import { answerHead, requestHead } from '#grammar/write-head.ts';

const limits = { maxBytes: 16_384, maxLines: 100 };
const fields = ['Host', 'x', 'X-Empty', '', 'X-Odd', 'a\t \xff\x80~'];

describe('a head that is written', () => {
  it('reads back as it was given', () => {
    expect(parseRequestHead(requestHead('POST', '/a?b', fields), limits)).toMatchObject({ method: 'POST', target: '/a?b', fields });
    expect(parseAnswerHead(answerHead(503, undefined, fields), 'POST', limits)).toMatchObject({
      status: 503,
      reason: 'Service Unavailable',
      fields,
    });
  });

  it.each([
    ['the end of a line', 'a\r\ny: b'],
    ['a line feed alone', 'a\n'],
    ['a carriage return alone', '\r'],
    ['a zero', '\0'],
    ['a delete', '\x7f'],
    ['what becomes the end of a line when it is cut to a byte', '\u010a'],
    ['half of a pair', '\ud83d'],
  ])('is refused with %s in a value, first, in the middle or last, and the header is named', (_, value) => {
    for (const before of [0, 1, 3]) {
      const lines = ['a', 'b', 'c'].flatMap((name) => [`x-${name}`, '1']);
      const all = [...lines.slice(0, 2 * before), 'x-bad', value, ...lines.slice(2 * before)];
      expect(() => requestHead('GET', '/', all)).toThrow('the header x-bad holds a character that no header may hold');
      expect(() => answerHead(200, 'OK', all)).toThrow('the header x-bad holds a character that no header may hold');
    }
  });

  it.each(['', 'x y', 'x:y', 'x\r\ny', 'x\u00e9'])('is refused with %j as a name', (name) => {
    expect(() => requestHead('GET', '/', ['Host', 'x', name, '1'])).toThrow('a header name holds a character that no header name may hold');
  });
});
