import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestFraming } from '#endpoint/request-framing.ts';

const limits = { maxBytes: 16 * 1024, maxLines: 100 };
const plain = (path: string, body: string) => `PUT ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const chunked = (path: string, parts: readonly string[]) =>
  `PUT ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\nx-amz-checksum: 1\r\n\r\n`;

/** The requests as they are found, each as all of its bytes. */
function found(bytes: Buffer, cuts: Iterator<number>): string[] {
  const framing = new RequestFraming(limits);
  const requests: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + cuts.next().value);
    at += piece.length;
    for (const part of framing.parts(piece)) {
      if (part.kind === 'head') requests.push(part.bytes.toString('latin1'));
      else requests.push(`${requests.pop() ?? ''}${part.bytes.toString('latin1')}`);
    }
  }
  expect(framing.between).toBe(true);
  return requests;
}

describe('the requests of a connection', () => {
  const body = fc.string({ maxLength: 30 }).map((text) => text.replace(/[^ -~]/g, '.'));
  const request = fc.oneof(
    body.map((text) => plain('/a', text)),
    fc
      .array(
        body.filter((text) => text.length > 0),
        { maxLength: 3 },
      )
      .map((parts) => chunked('/b', parts)),
    fc.constant('GET /c HTTP/1.1\r\nHost: a\r\n\r\n'),
    // A body that looks like the next request.
    fc.constant(plain('/d', 'GET / HTTP/1.1\r\nAuthorization: AWS4 Credential=other/\r\n\r\n')),
  );

  it('are told apart to the byte, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 5 }), fc.infiniteStream(fc.integer({ min: 1, max: 60 })), (sent, cuts) => {
        expect(found(Buffer.from(sent.join(''), 'latin1'), cuts[Symbol.iterator]())).toEqual(sent);
      }),
    );
  });

  it.each([
    ['two lengths', 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['a length and chunks', 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a coding that hides the end', 'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['a bare line feed', 'GET / HTTP/1.1\nHost: a\n\n'],
  ])('are refused where %s would let two readers disagree', (_what, text) => {
    expect(() => [...new RequestFraming(limits).parts(Buffer.from(text))]).toThrow();
  });
});
