import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4a } from '@smithy/signature-v4a';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ecdsaPair } from '#sigv4/keys/ecdsa-pair.ts';
import { signRequest } from '#sigv4/sign-request.ts';
import { SigningKeys } from '#sigv4/signing-keys.ts';
import { verifyRequest, type VerifyInput } from '#sigv4/verify-request.ts';

const documented = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const nowMs = Date.UTC(2026, 4, 6, 7, 8, 9);
const host = 'mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com';

function publicPoint(credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }): string[] {
  const { x = '', y = '' } = ecdsaPair(credentials).publicKey.export({ format: 'jwk' });
  return [x, y].map((part) => Buffer.from(part, 'base64url').toString('hex'));
}

describe('the key pair of SigV4a', () => {
  // AWS's own vectors, of the tests of aws-c-auth (Apache-2.0): key_derivation_tests.c and sigv4_signing_tests.c
  test.each([
    [
      'AKISORANDOMAASORANDOM',
      'q+jcrXGc+0zWN6uzclKVhvMmUsIfRPa4rlRandom',
      [
        '15d242ceebf8d8169fd6a8b5a746c41140414c3b07579038da06af89190fffcb',
        '0515242cedd82e94799482e4c0514b505afccf2c0c98d6a553bf539f424c5ec0',
      ],
    ],
    [
      documented.accessKeyId,
      documented.secretAccessKey,
      [
        '18b7d04643359f6ec270dcbab8dce6d169d66ddc9778c75cfb08dfdb701637ab',
        'fa36b35e4fe67e3112261d2e17a956ef85b06e44712d2850bcd3c2161e9993f2',
      ],
    ],
  ])('of %s is the published one', (accessKeyId, secretAccessKey, point) => {
    expect(publicPoint({ accessKeyId, secretAccessKey })).toEqual(point);
  });

  test('is derived once for credentials, and shows no secret when it is printed', () => {
    const keys = new SigningKeys();
    const first = keys.forRegionSet(documented, { nowMs, regionSet: '*', service: 's3' });
    const next = keys.forRegionSet(documented, { nowMs: nowMs + 86_400_000, regionSet: 'us-east-1', service: 'events' });
    expect(next.privateKey).toBe(first.privateKey);
    expect(next.scope).toBe('20260507/events/aws4_request');
    expect(keys.forRegionSet({ ...documented }, { nowMs, regionSet: '*', service: 's3' }).privateKey).not.toBe(first.privateKey);
  });
});

const keys = new SigningKeys();
const verifier = { keys, credentialsOf: (id: string) => (id === documented.accessKeyId ? documented : undefined) };

function signed(regionSet = '*'): VerifyInput {
  const key = keys.forRegionSet(documented, { nowMs, regionSet, service: 's3' });
  const headers = ['x-amz-content-sha256', 'UNSIGNED-PAYLOAD', 'x-amz-region-set', 'the-client-s-own'];
  const request = { method: 'PUT', path: '/a%20b/../c', query: 'x-id=PutObject&acl', host, headers, payload: 'UNSIGNED-PAYLOAD', nowMs };
  return { method: 'PUT', path: request.path, query: request.query, headers: signRequest(request, key).headers, nowMs };
}

describe('a request signed with SigV4a', () => {
  test('names its region set once, and is verified with it', () => {
    const request = signed('us-east-1,eu-*');
    expect(request.headers.filter((text) => text.toLowerCase() === 'x-amz-region-set')).toHaveLength(1);
    expect(verifyRequest(request, verifier)).toMatchObject({
      algorithm: 'AWS4-ECDSA-P256-SHA256',
      region: 'us-east-1,eu-*',
      service: 's3',
    });
  });

  test.each([
    ['another region set', (text: string) => (text === '*' ? 'us-east-1' : text)],
    ['another host', (text: string) => (text === host ? 'other' : text)],
    ['another signature', (text: string) => text.replace(/Signature=.*/, 'Signature=3006020101020101')],
    ['SigV4a turned into SigV4', (text: string) => text.replace('AWS4-ECDSA-P256-SHA256', 'AWS4-HMAC-SHA256')],
  ])('is refused with %s', (_, change) => {
    const request = signed();
    const altered = { ...request, headers: request.headers.map((text, i) => (i % 2 === 1 ? change(text) : text)) };
    expect(verifyRequest(altered, verifier)).toHaveProperty('kind');
  });

  test('that names no region set is refused', () => {
    const request = signed();
    const at = request.headers.indexOf('x-amz-region-set');
    expect(verifyRequest({ ...request, headers: request.headers.toSpliced(at, 2) }, verifier)).toMatchObject({ kind: 'bad_request' });
  });

  test('20 random requests are verified as @smithy/signature-v4a signed them', async () => {
    const word = fc.string({ unit: fc.constantFrom(...Array.from("abZ09-._~!'()*+,;=:@ /%ü")), minLength: 1, maxLength: 8 });
    const request = fc.record({
      service: fc.constantFrom('s3', 'events'),
      segments: fc.array(word.map(encodeURIComponent), { maxLength: 3 }),
      query: fc.uniqueArray(fc.tuple(word, word), { selector: ([name]) => name, maxLength: 3 }),
      meta: word,
    });
    for (const { service, segments, query, meta } of fc.sample(request, { numRuns: 20, seed: 4 })) {
      const isS3 = service === 's3';
      const signer = new SignatureV4a({
        credentials: documented,
        region: '*',
        service,
        sha256: Sha256,
        uriEscapePath: !isS3,
        applyChecksum: true,
      });
      const path = `/${segments.join('/')}`;
      const ascii = Buffer.from(meta).toString('latin1');
      const { headers } = await signer.sign(
        {
          method: 'POST',
          protocol: 'https:',
          hostname: host,
          path,
          query: Object.fromEntries(query),
          headers: { host, 'x-amz-meta-a': encodeURIComponent(ascii) },
          body: 'body',
        },
        { signingDate: new Date(nowMs) },
      );
      const raw = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
      const result = verifyRequest({ method: 'POST', path, query: raw, headers: Object.entries<string>(headers).flat(), nowMs }, verifier);
      expect(result, JSON.stringify({ service, path, query })).toMatchObject({ region: '*', service });
    }
  });
});
