import { hash } from 'node:crypto';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, test } from 'vitest';
import { planBody } from '#sigv4/chunks/body-plan.ts';
import { signRequest } from '#sigv4/sign-request.ts';
import { SigningKeys } from '#sigv4/signing-keys.ts';
import { chunkedBody, receiveChunkedBody } from '#sigv4/testing/chunked-body.ts';
import { hmacSigner } from '#sigv4/testing/signer.ts';
import { verifyRequest } from '#sigv4/verify-request.ts';

// One request from a client to AWS through all that is here: its signature by @smithy, verified, signed anew, verified by AWS's stand-in.
const throwAway = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'throw-away' };
const role = { accessKeyId: 'ASIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret-of-the-role', sessionToken: 'token' };
const keys = new SigningKeys();
const nowMs = Date.UTC(2026, 4, 6, 7, 8, 9);
const s3 = { nowMs, region: 'eu-central-1', service: 's3' };
const scope = '20260506/eu-central-1/s3/aws4_request';

async function request(headers: Readonly<Record<string, string>>): Promise<string[]> {
  const signer = new SignatureV4({ credentials: throwAway, region: s3.region, service: 's3', sha256: Sha256, uriEscapePath: false });
  const all = { host: 'bucket.localhost', ...headers };
  const signed = await signer.sign(
    { method: 'PUT', protocol: 'https:', hostname: 'bucket.localhost', path: '/k', headers: all },
    { signingDate: new Date(nowMs) },
  );
  return Object.entries(signed.headers).flat();
}

async function through(headers: Readonly<Record<string, string>>, wireOf: (seed: string) => Buffer) {
  const raw = await request(headers);
  const input = { method: 'PUT', path: '/k', query: '', headers: raw, nowMs };
  const verified = verifyRequest(input, { keys, credentialsOf: () => throwAway });
  if ('refusal' in verified || 'awaitsBody' in verified) throw new Error(JSON.stringify(verified));
  const plan = planBody({ verified, headers: raw, keys, now: () => nowMs });
  if ('refusal' in plan) return { refusal: plan, sent: Buffer.alloc(0), sentAtEnd: Buffer.alloc(0), headers: raw, seed: '' };
  const { payload, bodyLength } = plan;
  const length = bodyLength === undefined ? {} : { bodyLength };
  const signed = signRequest({ ...input, host: 'bucket.s3.eu-central-1.amazonaws.com', payload, ...length }, keys.for(role, s3));
  expect(verifyRequest({ ...input, headers: signed.headers }, { keys, credentialsOf: () => role })).toMatchObject({ payloadLine: payload });
  const sent: Buffer[] = [];
  const room = { take: () => true, give: () => undefined, full: '' };
  const body = plan.start({ signed: signed.chain, send: (bytes) => sent.push(bytes), room });
  const wire = wireOf(verified.chain.seed);
  let refusal: unknown;
  for (let at = 0; at < wire.length; at += 1000) refusal ??= body.write(wire.subarray(at, at + 1000));
  const before = Buffer.concat(sent);
  refusal ??= body.end();
  return {
    refusal,
    sent: Buffer.concat(sent),
    sentAtEnd: Buffer.concat(sent).subarray(before.length),
    headers: signed.headers,
    seed: signed.signature,
  };
}

function headerOf(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name);
  return at < 0 ? undefined : headers[at + 1];
}

const content = Buffer.alloc(150_000, 'content');

describe('a body goes on', () => {
  test('under its declared hash: as it is, its last piece only when the hash has proved true', async () => {
    const headers = { 'x-amz-content-sha256': hash('sha256', content), 'content-length': '150000' };
    const right = await through(headers, () => content);
    expect(right).toMatchObject({ refusal: undefined });
    expect(right.sent.equals(content)).toBe(true);
    expect(right.sentAtEnd.length).toBeGreaterThan(0);
    expect(headerOf(right.headers, 'content-length')).toBe('150000');
    const altered = Buffer.from(content).fill('x', 10, 11);
    const wrong = await through(headers, () => altered);
    expect(wrong.refusal).toMatchObject({ kind: 'bad_signature' });
    expect(wrong.sent.length).toBeLessThan(content.length);
  });

  test('unsigned: as it is', async () => {
    const { sent, refusal, headers } = await through(
      { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'content-length': '150000' },
      () => content,
    );
    expect(refusal).toBeUndefined();
    expect(sent.equals(content)).toBe(true);
    expect(headerOf(headers, 'x-amz-content-sha256')).toBe('UNSIGNED-PAYLOAD');
  });

  test('unsigned with a trailer: as it is, in the transfer coding in which it came', async () => {
    const wire = Buffer.concat([Buffer.from('249f0\r\n'), content, Buffer.from('\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n')]);
    const headers = {
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': '150000',
      'x-amz-trailer': 'x-amz-checksum-crc32',
      'content-encoding': 'gzip,aws-chunked',
      'transfer-encoding': 'chunked',
    };
    const right = await through(headers, () => wire);
    expect(right.refusal).toBeUndefined();
    expect(right.sent.equals(wire)).toBe(true);
    expect(headerOf(right.headers, 'transfer-encoding')).toBe('chunked');
    expect(headerOf(right.headers, 'content-length')).toBeUndefined();
    expect(headerOf(right.headers, 'content-encoding')).toBe('gzip,aws-chunked');
    const undeclared = await through({ ...headers, 'x-amz-decoded-content-length': '150 000' }, () => wire);
    expect(undeclared.refusal).toMatchObject({ kind: 'bad_request' });
  });

  test.each([
    ['x-amz-checksum-sha256', '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', true],
    ['x-amz-meta-later', 'of any length', false],
  ])('in signed chunks with the trailer %s: in our chunks, with a length where it can be known', async (name, value, isKnown) => {
    const body = { frames: [content.subarray(0, 100_001), content.subarray(100_001)], trailers: [[name, value]] as [string, string][] };
    const scheme = { algorithm: 'AWS4-HMAC-SHA256', amzDate: '20260506T070809Z', scope };
    const headers = {
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': '150000',
      'x-amz-trailer': name,
      // as some clients do, without a Content-Encoding
      'content-length': '150700',
    };
    const {
      sent,
      refusal,
      headers: out,
      seed,
    } = await through(headers, (first) => chunkedBody({ ...scheme, seed: first }, body, hmacSigner(throwAway.secretAccessKey, scope)));
    expect(refusal).toBeUndefined();
    const ours = hmacSigner(role.secretAccessKey, scope);
    const verify = (text: string, signature: string) => ours.sign(text) === signature;
    const received = receiveChunkedBody({ ...scheme, seed }, sent, { verify, width: 64, hasTrailer: true });
    expect(received.content.equals(content)).toBe(true);
    expect(received.trailers).toBe(`${name}:${value}\n`);
    expect(headerOf(out, 'content-length')).toBe(isKnown ? String(sent.length) : undefined);
    expect(headerOf(out, 'transfer-encoding')).toBe(isKnown ? undefined : 'chunked');
  });

  test('in chunks that @smithy/signature-v4 signs as messages without headers', async () => {
    const signer = new SignatureV4({ credentials: throwAway, region: s3.region, service: 's3', sha256: Sha256 });
    const frames = [content.subarray(0, 65_536), content.subarray(65_536, 65_540), Buffer.alloc(0)];
    const headers = {
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-decoded-content-length': '65540',
      'content-length': '65800',
    };
    const raw = await request(headers);
    let priorSignature = /Signature=(\w+)/.exec(headerOf(raw, 'authorization') ?? '')?.[1] ?? '';
    const parts: Buffer[] = [];
    for (const payload of frames) {
      priorSignature = await signer.sign({ headers: new Uint8Array(0), payload }, { priorSignature, signingDate: new Date(nowMs) });
      parts.push(Buffer.from(`${payload.length.toString(16)};chunk-signature=${priorSignature}\r\n`), payload, Buffer.from('\r\n'));
    }
    const { refusal, headers: out, sent } = await through(headers, () => Buffer.concat(parts));
    expect(refusal).toBeUndefined();
    expect(headerOf(out, 'content-length')).toBe(String(sent.length));
  });
});
