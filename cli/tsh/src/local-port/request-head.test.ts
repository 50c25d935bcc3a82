import { describe, expect, it } from 'vitest';
import { parseRequestHead } from '#local-port/request-head.ts';

const head = (...lines: readonly string[]) => parseRequestHead(['POST /a?b HTTP/1.1', ...lines].join('\r\n'));

describe('the head of a request at a local port', () => {
  it('is read with every value of a header, without the blanks around it', () => {
    const read = head('Host: localhost:1', 'X-A:\t one two \t', 'x-a:', 'X-B:b:c');
    expect(read).toMatchObject({ method: 'POST', target: '/a?b' });
    expect([...(read?.headers ?? [])]).toEqual([
      ['host', ['localhost:1']],
      ['x-a', ['one two', '']],
      ['x-b', ['b:c']],
    ]);
  });

  it.each(['no colon', ' folded: x', 'blank : x', ': x', 'a: b\nc: d', 'a: \0'])('is none with the line %j', (line) => {
    expect(head(line)).toBeUndefined();
  });

  it('is read in time that grows with its length and no faster', () => {
    const startedMs = performance.now();
    for (let i = 0; i < 10; i += 1) expect(head(`a: x${' '.repeat(16_000)}x`)?.headers.size).toBe(1);
    expect(performance.now() - startedMs).toBeLessThan(200);
  });
});
