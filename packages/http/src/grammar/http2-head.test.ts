import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHUNKED } from '#grammar/fields.ts';
import { HttpFault } from '#grammar/http-fault.ts';
import { parseHttp2Head } from '#grammar/http2-head.ts';

const limits = { maxBytes: 1000, maxLines: 10 };
const read = (rawHeaders: readonly string[], endsHere = false) => parseHttp2Head({ rawHeaders, endsHere, limits });
const base = [':method', 'POST', ':scheme', 'https', ':path', '/a?b'];

describe('the head of a request of HTTP/2', () => {
  it('is that of the HTTP/1.1 that says the same', () => {
    expect(read([...base, ':authority', 'h', 'x-a', '1'])).toEqual({
      method: 'POST',
      target: '/a?b',
      fields: ['host', 'h', 'x-a', '1', 'transfer-encoding', 'chunked'],
      length: CHUNKED,
      closes: false,
      expectsContinue: false,
    });
    expect(read([...base, 'x-a', '1', 'host', 'h'], true)).toMatchObject({ fields: ['x-a', '1', 'host', 'h'], length: 0 });
    expect(read([...base, ':authority', 'h', 'host', 'h', 'content-length', '5'])).toMatchObject({
      fields: ['host', 'h', 'content-length', '5'],
      length: 5,
    });
  });

  it.each([
    ['no host', base, 'no Host header'],
    ['another host than its authority', [...base, ':authority', 'h', 'host', 'g'], ':authority'],
    ['two hosts', [...base, 'host', 'h', 'host', 'h'], 'host stands twice'],
    ['two authorities', [...base, ':authority', 'h', ':authority', 'g'], ':authority stands twice'],
    ['no path', [':method', 'POST', ':authority', 'h'], 'not a path'],
    ['an asterisk for a path', [':method', 'OPTIONS', ':path', '*', ':authority', 'h'], 'not a path'],
    ['CONNECT', [':method', 'CONNECT', ':authority', 'h'], 'CONNECT'],
    ['a frame of HTTP/1.1', [...base, ':authority', 'h', 'transfer-encoding', 'chunked'], 'no place in HTTP/2'],
    ['Connection', [...base, ':authority', 'h', 'connection', 'x-amz-date'], 'no place in HTTP/2'],
    ['an upgrade', [...base, ':authority', 'h', 'upgrade', 'websocket'], 'no place in HTTP/2'],
    ['a line within a value', [...base, ':authority', 'h', 'x', 'a\r\ny: b'], 'no header may hold'],
    ['a line within its path', [':method', 'GET', ':path', '/ HTTP/1.1\r\nx: y', ':authority', 'h'], 'malformed'],
    ['two lengths', [...base, ':authority', 'h', 'content-length', '1', 'content-length', '1'], 'twice'],
  ])('with %s is refused in words', (_what, headers, words) => {
    expect(() => read(headers)).toThrow(HttpFault);
    expect(() => read(headers)).toThrow(words);
  });

  it('of whatever strings is a head or a fault, and never more fields than were sent', () => {
    const value = fc.string({ maxLength: 20, unit: 'binary' });
    const name = fc.oneof(value, fc.constantFrom(':method', ':path', ':authority', 'host', 'content-length', 'expect'));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), (pairs) => {
        try {
          const { fields } = read([...base, ':authority', 'h', ...pairs.flat()]);
          expect(fields.length).toBeLessThanOrEqual(2 * pairs.length + 4);
        } catch (error) {
          expect(error).toBeInstanceOf(HttpFault);
        }
      }),
    );
  });
});
