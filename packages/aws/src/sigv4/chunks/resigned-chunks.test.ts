import { randomBytes, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BodyTransform } from '#sigv4/chunks/body-transform.ts';
import { FRAME_BYTES, framedLength } from '#sigv4/chunks/framed-length.ts';
import { ResignedChunks } from '#sigv4/chunks/resigned-chunks.ts';
import type { SignatureChain } from '#sigv4/signature-chain.ts';
import { SigningKeys } from '#sigv4/signing-keys.ts';
import { type ChunkedBody, chunkedBody, receiveChunkedBody } from '#sigv4/testing/chunked-body.ts';
import { cut, hmacSigner } from '#sigv4/testing/signer.ts';

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html
const documented = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const ours = { accessKeyId: 'ASIAIOSFODNN7EXAMPLE', secretAccessKey: 'the-role-s-own-secret', sessionToken: 'token' };
const nowMs = Date.UTC(2013, 4, 24);
const amzDate = '20130524T000000Z';
const scope = { nowMs, region: 'us-east-1', service: 's3' };
const keys = new SigningKeys();
const outSeed = 'f'.repeat(64);

const received = (seed: string): SignatureChain => ({ key: keys.for(documented, scope), amzDate, seed });
const signed: SignatureChain = { key: keys.for(ours, scope), amzDate, seed: outSeed };
const hmacScheme = (seed: string) => ({ algorithm: 'AWS4-HMAC-SHA256', amzDate, scope: '20130524/us-east-1/s3/aws4_request', seed });
const theirSigner = hmacSigner(documented.secretAccessKey, '20130524/us-east-1/s3/aws4_request');
const ourSigner = hmacSigner(ours.secretAccessKey, '20130524/us-east-1/s3/aws4_request');
const server = { width: 64, verify: (text: string, signature: string) => ourSigner.sign(text) === signature };

type Sent = { readonly wire: Buffer; readonly pieces: number; readonly refusal: unknown };

function pass(transform: BodyTransform, pieces: readonly Buffer[], sent: Buffer[]): Sent {
  let refusal: unknown;
  for (const piece of pieces) refusal ??= transform.write(piece);
  refusal ??= transform.end();
  return { wire: Buffer.concat(sent), pieces: sent.length, refusal };
}

function resign(
  pieces: readonly Buffer[],
  options: { readonly seed: string; readonly contentLength: number; readonly trailers?: readonly string[] },
): Sent {
  const sent: Buffer[] = [];
  const { seed, contentLength, trailers } = options;
  const transform = new ResignedChunks({
    received: received(seed),
    signed,
    contentLength,
    hasTrailer: trailers !== undefined,
    trailers: trailers ?? [],
    send: (bytes) => sent.push(bytes),
  });
  return pass(transform, pieces, sent);
}

const example = {
  seed: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
  chunks: [
    'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
    '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
    'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
  ],
};
const trailerExample = {
  seed: '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
  chunks: [
    'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
    '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
    '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
  ],
  trailer: 'd81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435',
};

function published({ chunks }: { readonly chunks: readonly string[] }, behind: string): Buffer {
  const [first, second, last] = chunks;
  return Buffer.from(
    `10000;chunk-signature=${first}\r\n${'a'.repeat(65_536)}\r\n400;chunk-signature=${second}\r\n${'a'.repeat(1024)}\r\n0;chunk-signature=${last}\r\n${behind}`,
  );
}

describe("the examples of S3's documentation", () => {
  test('the chunks of the published upload are verified and signed anew', () => {
    const { wire, refusal } = resign([published(example, '\r\n')], { seed: example.seed, contentLength: 66_560 });
    expect(refusal).toBeUndefined();
    const body = receiveChunkedBody(hmacScheme(outSeed), wire, { ...server, hasTrailer: false });
    expect(body.content.equals(Buffer.alloc(66_560, 'a'))).toBe(true);
    expect(body.frameSizes).toEqual([65_536, 1024]);
  });

  // the page prints line ends in more than one way, and clients have followed each
  test.each([
    ['as clients send them', `x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:${trailerExample.trailer}\r\n\r\n`],
    ['with an empty line between', `x-amz-checksum-crc32c:sOO8/Q==\n\r\nx-amz-trailer-signature:${trailerExample.trailer}\r\n\r\n`],
    ['with bare line feeds', `x-amz-checksum-crc32c:sOO8/Q==\nx-amz-trailer-signature:${trailerExample.trailer}\n\r\n`],
  ])('the trailer of the published upload is verified and signed anew, %s', (_, behind) => {
    const options = { seed: trailerExample.seed, contentLength: 66_560, trailers: ['x-amz-checksum-crc32c'] };
    const { wire, refusal } = resign([published(trailerExample, behind)], options);
    expect(refusal).toBeUndefined();
    const body = receiveChunkedBody(hmacScheme(outSeed), wire, { ...server, hasTrailer: true });
    expect(body.trailers).toBe('x-amz-checksum-crc32c:sOO8/Q==\n');
    expect(wire.length).toBe(framedLength({ algorithm: 'AWS4-HMAC-SHA256', hasTrailer: true, ...options }));
  });

  test('a published chunk signature with one digit changed is refused, and the last bytes stay here', () => {
    const altered = { ...example, chunks: example.chunks.with(1, `1${example.chunks[1]?.slice(1)}`) };
    const { wire, refusal } = resign([published(altered, '\r\n')], { seed: example.seed, contentLength: 66_560 });
    expect(refusal).toMatchObject({ kind: 'bad_signature' });
    expect(wire.includes('\r\n0;chunk-signature')).toBe(false);
  });

  test('a published trailer with another checksum is refused, and the last bytes stay here', () => {
    const behind = `x-amz-checksum-crc32c:sOO8/A==\r\nx-amz-trailer-signature:${trailerExample.trailer}\r\n\r\n`;
    const { wire, refusal } = resign([published(trailerExample, behind)], {
      seed: trailerExample.seed,
      contentLength: 66_560,
      trailers: ['x-amz-checksum-crc32c'],
    });
    expect(refusal).toMatchObject({ kind: 'bad_signature' });
    expect(wire.length).toBeLessThan(66_560);
  });
});

const frames = fc.array(
  fc.oneof(
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 1000, max: 70_000 }),
    fc.constantFrom(FRAME_BYTES, FRAME_BYTES - 1, FRAME_BYTES + 1, 2 * FRAME_BYTES),
  ),
  { maxLength: 5 },
);
const upload = fc.record({ sizes: frames, hasTrailer: fc.boolean(), places: fc.array(fc.nat(400_000), { maxLength: 30 }) });
const checksum: readonly (readonly [string, string])[] = [['x-amz-checksum-crc32', 'AAAAAA==']];

function bodyOf(sizes: readonly number[], hasTrailer: boolean): ChunkedBody {
  return { frames: sizes.map((size) => randomBytes(size)), ...(hasTrailer ? { trailers: checksum } : {}) };
}

describe('signed chunks', () => {
  test('of any size and in any cut arrive as the same content in chunks of 64 KiB, as long as was said', () => {
    fc.assert(
      fc.property(upload, ({ sizes, hasTrailer, places }) => {
        const body = bodyOf(sizes, hasTrailer);
        const content = Buffer.concat(body.frames);
        const inbound = chunkedBody(hmacScheme(example.seed), body, theirSigner);
        const trailers = ['x-amz-checksum-crc32'];
        const options = { seed: example.seed, contentLength: content.length, ...(hasTrailer ? { trailers } : {}) };
        const { wire, refusal } = resign(cut(inbound, places), options);
        expect(refusal).toBeUndefined();
        const received = receiveChunkedBody(hmacScheme(outSeed), wire, { ...server, hasTrailer });
        expect(received.content.equals(content)).toBe(true);
        expect(received.frameSizes.slice(0, -1).every((size) => size === FRAME_BYTES)).toBe(true);
        expect(wire.length).toBe(framedLength({ algorithm: 'AWS4-HMAC-SHA256', contentLength: content.length, hasTrailer, trailers }));
      }),
      { numRuns: 60 },
    );
  });

  test('in single bytes, a chunk and a piece each, arrive as one chunk', () => {
    const body = bodyOf(
      Array.from({ length: 300 }, () => 1),
      false,
    );
    const inbound = chunkedBody(hmacScheme(example.seed), body, theirSigner);
    const { wire, refusal } = resign(
      Array.from(inbound, (byte) => Buffer.from([byte])),
      { seed: example.seed, contentLength: 300 },
    );
    expect(refusal).toBeUndefined();
    expect(receiveChunkedBody(hmacScheme(outSeed), wire, { ...server, hasTrailer: false }).frameSizes).toEqual([300]);
  });

  test('with any byte changed are refused, and the end of the body is not sent', () => {
    fc.assert(
      fc.property(upload, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ sizes, hasTrailer, places }, at, change) => {
        const body = bodyOf(sizes, hasTrailer);
        const inbound = chunkedBody(hmacScheme(example.seed), body, theirSigner);
        const place = at % inbound.length;
        const before = inbound[place] ?? 0;
        inbound[place] = before ^ change;
        // the case of a letter in a size, a name or the words of the coding is not covered by any signature; nor is a carriage return before a trailer's line feed
        const isFree = String.fromCharCode(before).toLowerCase() === String.fromCharCode(before ^ change).toLowerCase();
        fc.pre(!isFree && !(hasTrailer && place > inbound.length - 200));
        const { wire, refusal } = resign(cut(inbound, places), {
          seed: example.seed,
          contentLength: sizes.reduce((sum, size) => sum + size, 0),
          ...(hasTrailer ? { trailers: ['x-amz-checksum-crc32'] } : {}),
        });
        expect(refusal).toHaveProperty('kind');
        expect(wire.includes('\r\n0;chunk-signature=') || wire.toString('latin1', 0, 2) === '0;').toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  test.each([
    ['one byte short of x-amz-decoded-content-length', 1001],
    ['one byte past x-amz-decoded-content-length', 999],
  ])('%s are refused', (_, contentLength) => {
    const inbound = chunkedBody(hmacScheme(example.seed), bodyOf([1000], false), theirSigner);
    const { wire, refusal } = resign([inbound], { seed: example.seed, contentLength });
    expect(refusal).toMatchObject({ kind: 'bad_request', refusal: expect.stringContaining('x-amz-decoded-content-length') });
    expect(wire.length).toBe(0);
  });

  test('that end early, go on behind their end, or come from another request are refused', () => {
    const inbound = chunkedBody(hmacScheme(example.seed), bodyOf([1000], false), theirSigner);
    const options = { seed: example.seed, contentLength: 1000 };
    expect(resign([inbound], options).refusal).toBeUndefined();
    expect(resign([inbound.subarray(0, -1)], options).refusal).toMatchObject({ kind: 'bad_request' });
    expect(resign([inbound, Buffer.from('x')], options).refusal).toMatchObject({ kind: 'bad_request' });
    expect(resign([inbound], { ...options, seed: trailerExample.seed }).refusal).toMatchObject({ kind: 'bad_signature' });
  });

  test('with a trailer that was not announced, or without one that was, are refused', () => {
    const inbound = chunkedBody(hmacScheme(example.seed), bodyOf([10], true), theirSigner);
    const options = { seed: example.seed, contentLength: 10 };
    expect(resign([inbound], { ...options, trailers: ['x-amz-checksum-sha1'] }).refusal).toMatchObject({ kind: 'bad_request' });
    expect(resign([inbound], { ...options, trailers: [] }).refusal).toMatchObject({ kind: 'bad_request' });
  });

  test('of 64 MiB in one chunk leave in pieces of 64 KiB while they come: a chunk is never held whole', () => {
    const content = Buffer.alloc(64 * 1024 * 1024, 7);
    const inbound = chunkedBody(hmacScheme(example.seed), { frames: [content] }, theirSigner);
    const sent: Buffer[] = [];
    let outside = 0;
    const transform = new ResignedChunks({
      received: received(example.seed),
      signed,
      contentLength: content.length,
      hasTrailer: false,
      trailers: [],
      send: (bytes) => {
        outside += bytes.length;
        expect(bytes.length).toBeLessThanOrEqual(FRAME_BYTES + 90);
        sent.push(bytes.subarray(0, 0));
      },
    });
    for (let at = 0; at < inbound.length; at += 60_000) {
      expect(transform.write(inbound.subarray(at, at + 60_000))).toBeUndefined();
      expect(Math.min(content.length, at + 60_000) - outside).toBeLessThan(2 * FRAME_BYTES);
    }
    expect(transform.end()).toBeUndefined();
    expect(sent.length).toBe(1024 + 1);
    expect(transform.contentBytes).toBe(content.length);
  });
});

describe('chunks signed with SigV4a', () => {
  const theirKey = keys.forRegionSet(documented, { nowMs, regionSet: '*', service: 's3' });
  const ourKey = keys.forRegionSet(ours, { nowMs, regionSet: '*', service: 's3' });
  const ecdsaScheme = (seed: string) => ({ algorithm: 'AWS4-ECDSA-P256-SHA256', amzDate, scope: '20130524/s3/aws4_request', seed });
  const client = { width: 144, sign: (text: string) => sign('sha256', Buffer.from(text), theirKey.privateKey).toString('hex') };
  const aws = {
    width: 144,
    verify: (text: string, signature: string) => verify('sha256', Buffer.from(text), ourKey.publicKey, Buffer.from(signature, 'hex')),
  };
  const seed = client.sign('the request');

  test.each([[false], [true]])('are verified and signed anew, filled up to 144 characters (trailer: %s)', (hasTrailer) => {
    for (const width of [144, 0]) {
      const body = bodyOf([70_000, 3], hasTrailer);
      const inbound = chunkedBody(ecdsaScheme(seed), body, { ...client, width });
      const sent: Buffer[] = [];
      const framed = { contentLength: 70_003, hasTrailer, trailers: hasTrailer ? ['x-amz-checksum-crc32'] : [] };
      const chains = { received: { key: theirKey, amzDate, seed }, signed: { key: ourKey, amzDate, seed: 'ab' } };
      const { wire, refusal } = pass(new ResignedChunks({ ...chains, ...framed, send: (bytes) => sent.push(bytes) }), [inbound], sent);
      expect(refusal).toBeUndefined();
      expect(receiveChunkedBody(ecdsaScheme('ab'), wire, { ...aws, hasTrailer }).content.equals(Buffer.concat(body.frames))).toBe(true);
      expect(wire.length).toBe(framedLength({ algorithm: 'AWS4-ECDSA-P256-SHA256', ...framed }));
    }
  });

  test('with a byte of the content changed are refused', () => {
    const inbound = chunkedBody(ecdsaScheme(seed), bodyOf([500], false), client);
    inbound[400] = (inbound[400] ?? 0) ^ 1;
    const chains = { received: { key: theirKey, amzDate, seed }, signed: { key: ourKey, amzDate, seed: 'ab' } };
    const transform = new ResignedChunks({ ...chains, contentLength: 500, hasTrailer: false, trailers: [], send: () => undefined });
    expect(transform.write(inbound)).toMatchObject({ kind: 'bad_signature' });
  });
});
