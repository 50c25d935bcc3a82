import { createHash, createPrivateKey, sign as signBytes } from 'node:crypto';

import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4a } from '@smithy/signature-v4a';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Emulator, startEmulator } from '#index.ts';
import { sigV4aPublicKey } from '#sigv4/signing-key.ts';
import { type WireAnswer, sendWire } from '#testing/wire.ts';

// Credentials and key pair of the published test suite of SigV4a (aws-c-auth, tests/aws-signing-test-suite).
const key = { id: 'AKISORANDOMAASORANDOM', secret: 'q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom' };
const d = '7fd3bd010c0d9c292141c2b77bfbde1042c92e6836fff749d1269ec890fca1bd';
const x = '15d242ceebf8d8169fd6a8b5a746c41140414c3b07579038da06af89190fffcb';
const y = '0515242cedd82e94799482e4c0514b505afccf2c0c98d6a553bf539f424c5ec0';
const base64url = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');

const nowMs = Date.UTC(2026, 0, 31, 12);
const host = 'mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com';
const credentials = { accessKeyId: key.id, secretAccessKey: key.secret };
let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ accountId: '123456789012', accessKeys: [key], nowMs: () => nowMs });
});
afterAll(() => emulator.close());

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
type Headers = Readonly<Record<string, string>>;
const send = (headers: Headers, body: string, path = '/a%20b/../c'): Promise<WireAnswer> =>
  sendWire({ port: emulator.port, method: 'PUT', path, headers: Object.entries(headers), body });
const codeOf = (answer: WireAnswer): string => /<Code>(?<code>\w+)<\/Code>/u.exec(answer.text)?.groups?.['code'] ?? '';

async function signed({
  region = '*',
  service = 's3',
  to = host,
}: {
  readonly region?: string;
  readonly service?: string;
  readonly to?: string;
} = {}) {
  const signer = new SignatureV4a({ service, region, credentials, sha256: Sha256, uriEscapePath: service !== 's3', applyChecksum: true });
  const request = { method: 'PUT', protocol: 'https:', hostname: to, path: '/a%20b/../c', query: {}, headers: { host: to }, body: 'hello' };
  const { headers } = (await signer.sign(request, { signingDate: new Date(nowMs) })) as { readonly headers: Headers };
  return headers;
}

describe('SigV4a', () => {
  it('derives the published key from the published secret', () => {
    expect(sigV4aPublicKey(key.id, key.secret).export({ format: 'jwk' })).toMatchObject({ x: base64url(x), y: base64url(y) });
  });

  it('is taken from the signer of AWS for JavaScript, at an access point of many regions', async () => {
    const headers = await signed();
    expect((await send(headers, 'hello')).status).toBe(200);
    expect(emulator.log().at(-1)).toMatchObject({ verified: true, region: '*', host, path: '/a%20b/../c', operation: 'PutObject' });
    expect(codeOf(await send(headers, 'other'))).toBe('XAmzContentSHA256Mismatch');
    expect(codeOf(await send(headers, 'hello', '/c'))).toBe('SignatureDoesNotMatch');
    expect(codeOf(await send({ ...headers, 'x-amz-region-set': 'us-east-1' }, 'hello'))).toBe('AuthorizationHeaderMalformed');
  });

  it('is taken for a set of regions that the host is in, and for services that have it', async () => {
    const to = 'events.us-east-1.amazonaws.com';
    expect((await send(await signed({ to, service: 'events', region: 'us-*,eu-west-1' }), 'hello')).status).toBe(200);
    expect((await send(await signed({ to, service: 'events', region: 'eu-*' }), 'hello')).text).toContain('does not cover the region');
    const sqs = 'sqs.us-east-1.amazonaws.com';
    expect((await send(await signed({ to: sqs, service: 'sqs' }), 'hello')).text).toContain('is not supported by sqs');
  });

  it('is the only one that an access point of many regions takes', async () => {
    const headers = { ...(await signed()) };
    headers['authorization'] = (headers['authorization'] ?? '')
      .replace('AWS4-ECDSA-P256-SHA256', 'AWS4-HMAC-SHA256')
      .replace('/s3/', '/us-east-1/s3/');
    expect(codeOf(await send(headers, 'hello'))).toBe('AuthorizationHeaderMalformed');
  });

  it('signs chunks and a trailer, filled up to one length', async () => {
    const privateKey = createPrivateKey({
      format: 'jwk',
      key: { kty: 'EC', crv: 'P-256', d: base64url(d), x: base64url(x), y: base64url(y) },
    });
    const sign = (text: string): string => signBytes('sha256', Buffer.from(text), privateKey).toString('hex');
    const date = '20260131T120000Z';
    const scope = '20260131/s3/aws4_request';
    const mode = 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER';
    const headers: Record<string, string> = {
      host,
      'x-amz-content-sha256': mode,
      'x-amz-date': date,
      'x-amz-decoded-content-length': '10009',
      'x-amz-region-set': '*',
      'x-amz-trailer': 'x-amz-checksum-crc32',
    };
    const names = Object.keys(headers);
    const lines = names.map((name) => `${name}:${headers[name]}\n`).join('');
    const canonical = ['PUT', '/k', '', lines, names.join(';'), mode].join('\n');
    let previous = sign(['AWS4-ECDSA-P256-SHA256', date, scope, sha256(canonical)].join('\n'));
    headers['authorization'] =
      `AWS4-ECDSA-P256-SHA256 Credential=${key.id}/${scope}, SignedHeaders=${names.join(';')}, Signature=${previous}`;
    let body = '';
    for (const chunk of ['y'.repeat(10_000), '123456789', '']) {
      previous = sign([`AWS4-ECDSA-P256-SHA256-PAYLOAD`, date, scope, previous, sha256(''), sha256(chunk)].join('\n'));
      body += `${chunk.length.toString(16)};chunk-signature=${previous.padEnd(144, '*')}\r\n${chunk}${chunk === '' ? '' : '\r\n'}`;
    }
    const crc = 'x-amz-checksum-crc32:';
    const sum = await import('node:zlib').then(({ crc32 }) => crc32(`${'y'.repeat(10_000)}123456789`));
    const value = Buffer.from(sum.toString(16).padStart(8, '0'), 'hex').toString('base64');
    previous = sign([`AWS4-ECDSA-P256-SHA256-TRAILER`, date, scope, previous, sha256(`${crc}${value}\n`)].join('\n'));
    body += `${crc}${value}\r\nx-amz-trailer-signature:${previous.padEnd(144, '*')}\r\n\r\n`;
    expect((await send(headers, body, '/k')).status).toBe(200);
    expect(codeOf(await send(headers, body.replace('123456789', '123456780'), '/k'))).toBe('SignatureDoesNotMatch');
    expect(codeOf(await send(headers, body.replace(/(?<=trailer-signature:)../u, '31'), '/k'))).toBe('SignatureDoesNotMatch');
  });
});
