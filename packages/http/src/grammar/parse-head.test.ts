import { describe, expect, it } from 'vitest';
import { CHUNKED, UNSAID } from '#grammar/fields.ts';
import { parseAnswerHead, parseRequestHead } from '#grammar/parse-head.ts';

const limits = { maxBytes: 16_384, maxLines: 100 };
const request = (text: string) => parseRequestHead(text, limits);
const post = (...lines: string[]) => request(['POST /a?b=c HTTP/1.1', 'Host: x', ...lines, '', ''].join('\r\n'));
const answer = (text: string, method = 'POST') => parseAnswerHead(`${text}\r\n\r\n`, method, limits);

describe('the head of a request', () => {
  it('is given with its lines as they came', () => {
    expect(post('X-Odd:  a  b \t', 'x-odd:', 'Content-Length: 04', 'X-High: \xff\x80')).toEqual({
      method: 'POST',
      target: '/a?b=c',
      fields: ['Host', 'x', 'X-Odd', 'a  b', 'x-odd', '', 'Content-Length', '04', 'X-High', '\xff\x80'],
      length: 4,
      closes: false,
      expectsContinue: false,
    });
    expect(post('transfer-encoding: Chunked').length).toBe(CHUNKED);
    expect(post().length).toBe(0);
    expect(post('Expect: 100-Continue').expectsContinue).toBe(true);
    for (const [value, closes] of [
      ['keep-alive', false],
      ['close', true],
      ['Keep-Alive, Close', true],
      ['x-close', false],
      ['Upgrade', true],
    ] as const)
      expect(post(`Connection: ${value}`).closes).toBe(closes);
    expect(post('Connection: x', 'Connection: close').closes).toBe(true);
  });

  it.each([
    ['a tab behind the coding', ['Transfer-Encoding: chunked\t']],
    ['a blank behind the length', ['Content-Length: 4 ']],
    ['two frames', ['Content-Length: 4', 'Transfer-Encoding: chunked']],
    ['two frames, the other way round', ['Transfer-Encoding: chunked', 'Content-Length: 4']],
    ['two lengths', ['Content-Length: 4', 'Content-Length: 5']],
    ['two equal lengths', ['Content-Length: 4', 'content-length: 4']],
    ['a list of lengths', ['Content-Length: 4, 4']],
    ['two codings', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
    ...['xchunked', 'chunked, identity', 'identity', 'gzip, chunked', 'chunked;q=1', '"chunked"', 'chunked,', '', 'chunke\u00e4'].map(
      (coding): [string, string[]] => [`the coding ${coding}`, [`Transfer-Encoding: ${coding}`]],
    ),
    ...['+4', '-4', '4.0', '0x4', '4e0', ' 4 4', '', '٤', '1_0', '1234567890123456', '4\u00a0'].map((length): [string, string[]] => [
      `the length ${length}`,
      [`Content-Length: ${length}`],
    ]),
    ['a blank before the colon', ['Content-Length : 4']],
    ['a tab before the colon', ['Transfer-Encoding\t: chunked']],
    ['a folded line', ['X-Odd: a', ' Transfer-Encoding: chunked']],
    ['a line folded with a tab', ['X-Odd: a', '\tb']],
    ['a bare LF', ['X-Odd: a\nTransfer-Encoding: chunked']],
    ['a bare CR', ['X-Odd: a\rTransfer-Encoding: chunked']],
    ['CR CR LF', ['X-Odd: a\r']],
    ['NUL in a value', ['X-Odd: a\0b']],
    ['a control character in a value', ['X-Odd: a\x01b']],
    ['DEL in a value', ['X-Odd: a\x7fb']],
    ['a line without a colon', ['Transfer-Encoding']],
    ['an empty name', [': chunked']],
    ['a blank within a name', ['Transfer Encoding: chunked']],
    ['a name in parentheses', ['(x): y']],
    ['a name beyond ASCII', ['X\xe4: y']],
    ['NUL in a name', ['Transfer-Encoding\0: chunked']],
    ['a second Host', ['hOST: y']],
  ])('is refused for %s', (_what, lines) => {
    expect(() => post(...lines)).toThrow(expect.objectContaining({ name: 'HttpFault', status: 400 }));
  });

  it.each([
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['HTTP/0.9', 'GET /\r\n\r\n'],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: x\r\n\r\n'],
    ['HTTP/2.0', 'PRI * HTTP/2.0\r\n\r\n'],
    ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: x\r\n\r\n'],
    ['HTTP/1.1 in lower case', 'GET / http/1.1\r\nHost: x\r\n\r\n'],
    ['a full URL', 'GET http://evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['the form of an asterisk', 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['the form of an authority', 'GET evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['no target', 'GET  HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['two blanks', 'GET  / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a blank in the target', 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a tab in the target', 'GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a target beyond ASCII', 'GET /\xe4 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a blank behind the version', 'GET / HTTP/1.1 \r\nHost: x\r\n\r\n'],
    ['an empty line in front', '\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a method in lower case', 'get / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['an unknown method', 'GETS / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a first line that is folded', 'GET / HTTP/1.1\r\n Host: x\r\n\r\n'],
    ['no method', ' / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('is refused for %s', (_what, text) => {
    expect(() => request(text)).toThrow(expect.objectContaining({ name: 'HttpFault', status: 400 }));
  });

  it('is no tunnel, and has a hundred lines at the most', () => {
    expect(() => request('CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n')).toThrow(expect.objectContaining({ status: 405 }));
    const lines = (count: number) => Array.from({ length: count }, (_, at) => `x-${at}: 1`);
    expect(post(...lines(99)).fields).toHaveLength(200);
    expect(() => post(...lines(100))).toThrow(expect.objectContaining({ status: 431, message: 'more than 100 header lines' }));
  });

  it('has its names as they came, those that are met again and those that are beyond what is remembered', () => {
    const names = Array.from({ length: 700 }, (_, at) => (at % 2 === 0 ? `X-Name-${at}` : `x-${'long-'.repeat(14)}${at}`));
    for (let round = 0; round < 2; round += 1)
      for (let from = 0; from < names.length; from += 70) {
        const some = names.slice(from, from + 70);
        expect(post(...some.map((name) => `${name}: 1`)).fields).toEqual(['Host', 'x', ...some.flatMap((name) => [name, '1'])]);
      }
  });
});

describe('the head of an answer', () => {
  it('says how its body ends', () => {
    expect(answer('HTTP/1.1 200 Quite Fine\r\nContent-Length: 3')).toMatchObject({
      status: 200,
      reason: 'Quite Fine',
      length: 3,
      keepsAlive: true,
    });
    expect(answer('HTTP/1.1 200 \r\nTransfer-Encoding: chunked')).toMatchObject({ reason: '', length: CHUNKED, keepsAlive: true });
    expect(answer('HTTP/1.1 200')).toMatchObject({ reason: '', length: UNSAID, keepsAlive: false });
    expect(answer('HTTP/1.1 204 None')).toMatchObject({ length: 0, keepsAlive: true });
    expect(answer('HTTP/1.1 304 Same\r\nContent-Length: 9')).toMatchObject({ length: 0, keepsAlive: true });
    expect(answer('HTTP/1.1 200 OK\r\nContent-Length: 9', 'HEAD')).toMatchObject({ length: 0 });
    expect(answer('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked', 'HEAD')).toMatchObject({ length: 0 });
    expect(answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close')).toMatchObject({ keepsAlive: false });
    expect(answer('HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive')).toMatchObject({ keepsAlive: false, isHttp10: true });
  });

  it.each([
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked',
    'HTTP/1.1 200 OK\r\nContent-Length: -1',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked',
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked',
    'HTTP/1.1 204 None\r\nTransfer-Encoding: chunked',
    'HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked',
    'HTTP/1.1 200 OK\r\nX : y',
    'HTTP/1.1 200 OK\r\n folded: y',
    'HTTP/1.1 200 O\0K',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 099 OK',
    'HTTP/1.1 600 OK',
    'HTTP/1.1 2e2 OK',
    'HTTP/1.1  20 OK',
    'HTTP/1.1\t200 OK',
    'HTTP/2 200 OK',
    'HTTP/0.9 200 OK',
    'ICY 200 OK',
    'SSH-2.0-OpenSSH',
    '',
  ])('is refused: %j', (text) => {
    expect(() => answer(text)).toThrow(expect.objectContaining({ name: 'HttpFault' }));
  });
});
