import { readHead } from '@postern/agent';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_BODY_BYTES } from '#config.ts';
import { shapeRefusal } from '#sessions/request-shape.ts';

const good = [
  'Host',
  'localhost:8000',
  'Content-Type',
  'application/x-amz-json-1.0',
  'X-Amz-Target',
  'DynamoDB_20120810.ListTables',
  'Content-Length',
  '2',
];
const judge = (headers: readonly string[], method = 'POST', target = '/') => shapeRefusal({ method, target, head: readHead(headers) });
const without = (name: string) => good.flatMap((part, at) => (at % 2 === 0 && part !== name ? [part, good[at + 1] ?? ''] : []));

describe('the shape of a request', () => {
  it('is what the AWS SDKs send', () => {
    expect(judge(good)).toBeUndefined();
    expect(judge([...without('Content-Type'), 'content-type', 'application/x-amz-json-1.0; charset=utf-8'])).toBeUndefined();
    expect(judge([...good, 'Connection', 'keep-alive'])).toBeUndefined();
    expect(judge([...good, 'Expect', '100-continue'])).toBeUndefined();
  });

  it.each(['Host', 'Authorization', 'X-Amz-Target', 'Content-Length', 'Content-Type', 'Transfer-Encoding', 'Connection'])(
    'refuses two lines of %s, however they are spelled',
    (name) => {
      expect(judge([...good, name, 'a', name.toUpperCase(), 'b'])?.reason).toBe(`the header ${name.toLowerCase()} stands twice`);
    },
  );

  it('refuses another charset, and another coding than chunked', () => {
    for (const type of ['; charset=utf-7', '; charset=utf-16', '; charset=utf-8; charset=utf-7', ';x=y', ', text/plain'])
      expect(judge([...without('Content-Type'), 'Content-Type', `application/x-amz-json-1.0${type}`])?.reason).toMatch(/content type/);
    expect(judge([...without('Content-Length'), 'Transfer-Encoding', 'Chunked'])).toBeUndefined();
    for (const coding of ['gzip, chunked', 'chunked, chunked', 'identity', ''])
      expect(judge([...without('Content-Length'), 'Transfer-Encoding', coding])?.reason).toMatch(/Transfer-Encoding/);
  });

  it.each([
    ['GET', '/'],
    ['PUT', '/'],
    ['TRACE', '/'],
    ['post', '/'],
    ['POST', '/table'],
    ['POST', '/?X-Amz-Signature=00'],
    ['POST', 'http://evil.example/'],
    ['POST', '//'],
    ['POST', ''],
  ])('refuses %s %s', (method, url) => {
    expect(judge(good, method, url)).toMatchObject({ code: 'ValidationException', close: true });
  });

  it('refuses other protocols, encodings and upgrades', () => {
    for (const type of [
      'application/json',
      'application/x-amz-json-1.1',
      'application/cbor',
      'application/x-amz-json-1.00',
      'text/plain',
    ]) {
      expect(judge([...without('Content-Type'), 'Content-Type', type])?.reason).toMatch(/content type/);
    }
    expect(judge([...good, 'Content-Encoding', 'gzip'])?.reason).toMatch(/encoding/);
    expect(judge([...good, 'Upgrade', 'h2c'])?.reason).toMatch(/upgrade/);
    expect(judge([...good, 'Expect', 'a-miracle'])?.reason).toMatch(/expectation/);
    expect(judge([...good, 'Connection', 'X-Amz-Target'])?.reason).toMatch(/Connection/);
    expect(judge(without('X-Amz-Target'))?.reason).toMatch(/X-Amz-Target/);
  });

  it('refuses a body over the limit by its length alone, and more than a hundred lines', () => {
    expect(judge([...without('Content-Length'), 'Content-Length', String(MAX_BODY_BYTES)])).toBeUndefined();
    expect(judge([...without('Content-Length'), 'Content-Length', String(MAX_BODY_BYTES + 1)])).toMatchObject({
      code: 'RequestEntityTooLargeException',
    });
    const lines = Array.from({ length: 97 }, (_, at) => [`x-${at}`, '']).flat();
    expect(judge([...good, ...lines])?.reason).toMatch(/100 header lines/);
  });

  it('never throws, whatever the lines are', () => {
    fc.assert(fc.property(fc.array(fc.string()), (lines) => void judge(lines.length % 2 === 0 ? lines : [...lines, ''])));
  });
});
