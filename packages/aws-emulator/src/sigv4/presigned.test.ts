import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Emulator, startEmulator } from '#index.ts';
import { sendWire } from '#testing/wire.ts';

const signedAtMs = Date.UTC(2026, 0, 31, 12);
const key = { id: 'AKIAEXAMPLEEXAMPLE00', secret: 'secret' };
const host = 'files.s3.us-east-1.amazonaws.com';
let clock = signedAtMs;
let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ accountId: '123456789012', accessKeys: [key], nowMs: () => clock });
  emulator.seedObject('us-east-1', { bucket: 'files', key: 'a b/../ü', body: 'hello' });
});
afterAll(() => emulator.close());

interface Presigning {
  readonly method?: string;
  readonly expiresIn?: number;
  readonly query?: Readonly<Record<string, string>>;
}

async function presign({ method = 'GET', expiresIn = 60, query = {} }: Presigning = {}): Promise<string> {
  const credentials = { accessKeyId: key.id, secretAccessKey: key.secret };
  const signer = new SignatureV4({ service: 's3', region: 'us-east-1', credentials, sha256: Sha256, uriEscapePath: false });
  const path = '/a%20b/../%C3%BC';
  const request = {
    method,
    protocol: 'https:',
    hostname: host,
    path,
    query,
    headers: { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
  };
  const signed = await signer.presign(request, {
    signingDate: new Date(signedAtMs),
    expiresIn,
    unsignableHeaders: new Set(['x-amz-content-sha256']),
    unhoistableHeaders: new Set(),
  });
  const parts = Object.entries(signed.query ?? {}).map(
    ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`,
  );
  return `${path}?${parts.join('&')}`;
}

async function open(
  path: string,
  more: { readonly method?: string; readonly headers?: readonly (readonly [string, string])[]; readonly body?: string } = {},
) {
  const { method = 'GET', headers = [], body = '' } = more;
  const answer = await sendWire({ port: emulator.port, method, path, headers: [['host', host], ...headers], body });
  return [answer.status, /<Code>(?<code>\w+)<\/Code>/u.exec(answer.text)?.groups?.['code'] ?? answer.text];
}

describe('a pre-signed URL', () => {
  it('opens what it names for as long as it says, to the second', async () => {
    const path = await presign();
    for (const [afterMs, expected] of [
      [0, [200, 'hello']],
      [60_000, [200, 'hello']],
      [60_001, [403, 'AccessDenied']],
      [-15 * 60_000 - 1, [403, 'RequestTimeTooSkewed']],
    ] as const) {
      clock = signedAtMs + afterMs;
      expect(await open(path)).toEqual(expected);
    }
    clock = signedAtMs;
  });

  it('may last seven days and no longer', async () => {
    expect(await open((await presign({ expiresIn: 604_800 })).replace('X-Amz-Expires=604800', 'X-Amz-Expires=604801'))).toEqual([
      400,
      'AuthorizationQueryParametersError',
    ]);
    clock = signedAtMs + 604_800_000;
    expect(await open(await presign({ expiresIn: 604_800 }))).toEqual([200, 'hello']);
    clock = signedAtMs;
  });

  it('opens nothing else: not another key, method, parameter, host or header', async () => {
    const path = await presign();
    expect(await open(path.replace('%C3%BC', 'u'))).toEqual([403, 'SignatureDoesNotMatch']);
    expect(await open(`${path}&versionId=1`)).toEqual([403, 'SignatureDoesNotMatch']);
    expect(await open(path, { method: 'DELETE' })).toEqual([403, 'SignatureDoesNotMatch']);
    expect(await open(path.replace('X-Amz-Expires=60', 'X-Amz-Expires=61'))).toEqual([403, 'SignatureDoesNotMatch']);
    expect(await open(path, { headers: [['x-amz-meta-a', '1']] })).toEqual([403, 'AccessDenied']);
    expect(await open(path, { headers: [['authorization', 'AWS4-HMAC-SHA256 Credential=x']] })).toEqual([400, 'InvalidArgument']);
    expect(await open(`${path}&X-Amz-Security-Token=x`)).toEqual([403, 'SignatureDoesNotMatch']);
    expect(await open(path.replace(/&?X-Amz-Date=\w+/u, ''))).toEqual([400, 'AuthorizationQueryParametersError']);
    expect(await open('/a%20b/../%C3%BC?AWSAccessKeyId=x&Signature=y&Expires=9999999999')).toEqual([403, 'AccessDenied']);
  });

  it('carries headers in its query, which are obeyed', async () => {
    const put = await presign({ method: 'PUT', query: { 'x-amz-checksum-crc32': 'y/Q5Jg==', 'x-amz-meta-who': 'ann' } });
    expect((await open(put, { method: 'PUT', body: '123456780' }))[1]).toBe('BadDigest');
    expect((await open(put, { method: 'PUT', body: '123456789' }))[0]).toBe(200);
    const got = await sendWire({ port: emulator.port, method: 'GET', path: await presign(), headers: [['host', host]] });
    expect([got.text, got.headers['x-amz-meta-who']]).toEqual(['123456789', 'ann']);
  });
});
