import { createHash, createHmac } from 'node:crypto';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Emulator, startEmulator } from '#index.ts';
import { AwsChunked } from '#sigv4/aws-chunked.ts';
import { type WireAnswer, sendWire } from '#testing/wire.ts';

// The published examples of the S3 API reference, "Transferring payload in multiple chunks" and "Signature calculations for trailing headers".
const key = { id: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const date = '20130524T000000Z';
const scope = '20130524/us-east-1/s3/aws4_request';
let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ accountId: '123456789012', accessKeys: [key], nowMs: () => Date.UTC(2013, 4, 24) });
  emulator.seedObject('us-east-1', { bucket: 'examplebucket' });
});
afterAll(() => emulator.close());

type Headers = readonly (readonly [string, string])[];
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

function published(mode: string, signature: string, more: Headers = []): Headers {
  const headers: Headers = [
    ['host', 's3.amazonaws.com'],
    ['x-amz-date', date],
    ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
    ['x-amz-content-sha256', mode],
    ['content-encoding', 'aws-chunked'],
    ['x-amz-decoded-content-length', '66560'],
    ...more,
  ];
  const signed = headers
    .map(([name]) => name)
    .sort()
    .join(';');
  return [...headers, ['authorization', `AWS4-HMAC-SHA256 Credential=${key.id}/${scope},SignedHeaders=${signed},Signature=${signature}`]];
}

function put(headers: Headers, body: string, length = true): Promise<WireAnswer> {
  const framed: Headers = length ? headers : [...headers, ['transfer-encoding', 'chunked']];
  return sendWire({ port: emulator.port, method: 'PUT', path: '/examplebucket/chunkObject.txt', headers: framed, body });
}

const codeOf = (answer: WireAnswer): string => /<Code>(?<code>\w+)<\/Code>/u.exec(answer.text)?.groups?.['code'] ?? '';
const frame = (size: number, signature: string): string => `${size.toString(16)};chunk-signature=${signature}\r\n${'a'.repeat(size)}\r\n`;
const chunks = [
  'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
  '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
  'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
] as const;
const example = frame(65_536, chunks[0]) + frame(1024, chunks[1]) + frame(0, chunks[2]);
const seed = published('STREAMING-AWS4-HMAC-SHA256-PAYLOAD', '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9', [
  ['content-length', String(example.length)],
]);

describe('a body in signed chunks', () => {
  it('is taken as AWS publishes it', async () => {
    expect((await put(seed, example)).status).toBe(200);
    expect(emulator.log().at(-1)).toMatchObject({
      operation: 'PutObject',
      verified: true,
      payload: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      bodyBytes: 66_560,
      wireBytes: example.length,
      bodySha256: sha256('a'.repeat(66_560)),
    });
  });

  it.each([
    ['a byte of the first chunk', example.replace('\r\na', '\r\nb'), 'SignatureDoesNotMatch'],
    ['a byte of the last chunk', example.replace(/a(?=\r\n0;)/u, 'b'), 'SignatureDoesNotMatch'],
    ['the signature of the last, empty chunk', example.replace('b6c6', 'b6c7'), 'SignatureDoesNotMatch'],
    [
      'the order of its signatures',
      example.replace(chunks[0], '@').replace(chunks[1], chunks[0]).replace('@', chunks[1]),
      'SignatureDoesNotMatch',
    ],
    ['its line ends', example.replaceAll('\r\n', '\n\n'), 'IncompleteBody'],
  ])('is refused where another hand changed %s, and nothing is stored', async (_, body, code) => {
    emulator.seedObject('us-east-1', { bucket: 'examplebucket', key: 'chunkObject.txt', body: 'as before' });
    const answer = await put(seed, body.padEnd(example.length, '\n').slice(0, example.length));
    expect(codeOf(answer)).toBe(code);
    expect(emulator.log().at(-1)).toMatchObject({
      verified: false,
      refusal: expect.stringMatching(/^(?:InvalidSignatureException|IncompleteBody)$/u),
    });
    expect((await get()).text).toBe('as before');
  });

  it('is taken with the trailer that AWS publishes, and refused with another', async () => {
    const trailer = [['x-amz-trailer', 'x-amz-checksum-crc32c']] as const;
    const head = published(
      'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
      '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
      trailer,
    );
    const body =
      frame(65_536, 'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2') +
      frame(1024, '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7') +
      '0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n' +
      'x-amz-checksum-crc32c:sOO8/Q==\r\n' +
      'x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n';
    const answer = await put(head, body);
    expect([answer.status, answer.headers['x-amz-checksum-crc32c']]).toEqual([200, 'sOO8/Q==']);
    expect(codeOf(await put(head, body.replace('sOO8', 'sOO9')))).toBe('SignatureDoesNotMatch');
    expect(codeOf(await put(head, body.replace('d81f', 'd81e')))).toBe('SignatureDoesNotMatch');
    expect(codeOf(await put(head, body.replace(/x-amz-trailer-signature.*\r\n/u, '')))).toBe('MalformedTrailerError');
    expect(codeOf(await put(head, body.slice(0, -2)))).toBe('IncompleteBody');
  });
});

/** A head signed here, with node:crypto alone, for bodies that are not published. */
function signedHead(headers: Headers, { method = 'PUT' }: { readonly method?: string } = {}): Headers {
  const all: Headers = [['host', 's3.amazonaws.com'], ['x-amz-date', date], ...headers];
  const signed = all.filter(([name]) => !['expect', 'transfer-encoding'].includes(name));
  const names = signed.map(([name]) => name).sort();
  const lines = names.map((name) => `${name}:${signed.find(([given]) => given === name)?.[1] ?? ''}\n`).join('');
  const mode = signed.find(([name]) => name === 'x-amz-content-sha256')?.[1] ?? '';
  const canonical = [method, '/examplebucket/chunkObject.txt', '', lines, names.join(';'), mode].join('\n');
  let secret: Buffer = Buffer.from(`AWS4${key.secret}`);
  for (const part of scope.split('/')) secret = createHmac('sha256', secret).update(part).digest();
  const signature = createHmac('sha256', secret)
    .update(['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n'))
    .digest('hex');
  return [
    ...all,
    ['authorization', `AWS4-HMAC-SHA256 Credential=${key.id}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`],
  ];
}

function get(): Promise<WireAnswer> {
  const headers = signedHead([['x-amz-content-sha256', sha256('')]], { method: 'GET' });
  return sendWire({ port: emulator.port, method: 'GET', path: '/examplebucket/chunkObject.txt', headers });
}

describe('a body with a trailer and no signatures of its own', () => {
  const head = (more: Headers = []) =>
    signedHead([
      ['x-amz-content-sha256', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'],
      ['x-amz-trailer', 'x-amz-checksum-crc32'],
      ['x-amz-decoded-content-length', '9'],
      ['content-encoding', 'gzip,aws-chunked'],
      ...more,
    ]);
  const body = '9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n';

  it('is taken with a length and without, and leaves the other codings to the object', async () => {
    expect((await put(head(), body)).status).toBe(200);
    const answer = await put(head([['expect', '100-continue']]), body, false);
    expect([answer.status, answer.continues]).toEqual([200, 1]);
    const got = await get();
    expect([got.text, got.headers['content-encoding']]).toEqual(['123456789', 'gzip']);
  });

  it.each([
    ['another checksum', body.replace('y/Q5', 'z/Q5'), 'BadDigest'],
    ['no trailer', '9\r\n123456789\r\n0\r\n\r\n', 'MalformedTrailerError'],
    ['a trailer that was not announced', body.replace('crc32:', 'crc32c:'), 'MalformedTrailerError'],
    ['fewer bytes than it says', '8\r\n12345678\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n', 'IncompleteBody'],
    ['bytes after its end', `${body}x`, 'IncompleteBody'],
    ['small chunks before the last', '4\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n', 'InvalidChunkSizeError'],
    ['a signature where none belongs', body.replace('9\r\n', '9;chunk-signature=00\r\n'), 'IncompleteBody'],
  ])('is refused with %s', async (_, changed, code) => {
    expect(codeOf(await put(head(), changed))).toBe(code);
  });
});

describe('a head that is refused', () => {
  const unsigned: Headers = [['x-amz-content-sha256', 'UNSIGNED-PAYLOAD']];

  it('is refused before 100 Continue, and the body is not asked for', async () => {
    const [wrong] = signedHead([...unsigned, ['content-length', '5368709120'], ['expect', '100-continue']]).slice(-1);
    const headers = signedHead([...unsigned, ['content-length', '5368709120'], ['expect', '100-continue']]).slice(0, -1);
    const answer = await put([...headers, ['authorization', (wrong?.[1] ?? '').replace(/.$/u, 'x')]], '');
    expect([answer.status, codeOf(answer), answer.continues, answer.headers.connection]).toEqual([
      403,
      'SignatureDoesNotMatch',
      0,
      'close',
    ]);
  });

  it.each([
    ['chunked without aws-chunked', [...unsigned], 'NotImplemented', false],
    ['a hash in capitals', [['x-amz-content-sha256', sha256('x').toUpperCase()]] as const, 'InvalidArgument', true],
    ['a mode that is none', [['x-amz-content-sha256', 'STREAMING']] as const, 'InvalidArgument', true],
    [
      'chunks of the other algorithm',
      [['x-amz-content-sha256', 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD']] as const,
      'InvalidArgument',
      true,
    ],
    ['no hash at all', [], 'InvalidRequest', true],
    ['the hash of another body', [['x-amz-content-sha256', sha256('y')]] as const, 'XAmzContentSHA256Mismatch', true],
    [
      'chunks whose length nobody says',
      [['x-amz-content-sha256', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER']] as const,
      'MissingContentLength',
      true,
    ],
  ] satisfies readonly (readonly [string, Headers, string, boolean])[])('for %s', async (_, headers, code, length) => {
    expect(codeOf(await put(signedHead(headers), 'x', length))).toBe(code);
  });

  it('for two checksums, one that is wrong, and an MD5 that is', async () => {
    const checked = (more: Headers) => put(signedHead([...unsigned, ...more]), '123456789');
    expect((await checked([['x-amz-checksum-crc64nvme', 'rosUhgp5mIg=']])).status).toBe(200);
    expect(codeOf(await checked([['x-amz-checksum-crc64nvme', 'rosUhgp5mIk=']]))).toBe('BadDigest');
    expect(
      codeOf(
        await checked([
          ['x-amz-checksum-crc32', 'y/Q5Jg=='],
          ['x-amz-checksum-crc32c', '4waSgw=='],
        ]),
      ),
    ).toBe('InvalidRequest');
    expect(codeOf(await checked([['content-md5', 'AAAAAAAAAAAAAAAAAAAAAA==']]))).toBe('BadDigest');
  });
});

describe('aws-chunked', () => {
  it('gives back any body, in whatever pieces it comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 8192, max: 9000 }), { maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }),
        (sizes, cuts) => {
          const body = sizes.map((size) => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`).join('') + '0\r\n\r\n';
          let bytes = 0;
          const decoder = new AwsChunked({ chain: undefined, trailer: false, onData: (data) => void (bytes += data.length) });
          for (let at = 0, turn = 0; at < body.length; turn += 1) {
            const cut = cuts[turn % cuts.length] ?? 1;
            decoder.push(Buffer.from(body.slice(at, at + cut)));
            at += cut;
          }
          decoder.end();
          expect(bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
        },
      ),
    );
  });
});
