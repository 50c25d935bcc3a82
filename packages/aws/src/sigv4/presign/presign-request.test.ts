import { hash } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '@aws-crypto/sha256-js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { presignRequest, type PresignInput } from '#sigv4/presign/presign-request.ts';
import { SigningKeys } from '#sigv4/signing-keys.ts';
import { type VerifiedRequest, verifyRequest, type VerifyInput } from '#sigv4/verify-request.ts';

const keys = new SigningKeys();
const throwAway = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const role = { accessKeyId: 'ASIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret-of-the-role', sessionToken: 'a+b/c==' };
const verifier = { keys, credentialsOf: (id: string) => (id === throwAway.accessKeyId ? throwAway : undefined) };
const atAws = { keys, credentialsOf: (id: string) => (id === role.accessKeyId ? role : undefined) };

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
const signedAtMs = Date.UTC(2013, 4, 24);
const published =
  'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';
const host = 'examplebucket.s3.amazonaws.com';

function example(changes: Partial<VerifyInput> = {}): VerifyInput {
  return { method: 'GET', path: '/test.txt', query: published, headers: ['Host', host], nowMs: signedAtMs + 60_000, ...changes };
}

function verified(input: VerifyInput): VerifiedRequest {
  const result = verifyRequest(input, verifier);
  if ('refusal' in result || 'awaitsBody' in result) throw new Error(JSON.stringify(result));
  return result;
}

function presign(changes: Partial<PresignInput> = {}, request: VerifyInput = example()) {
  const { presigned, payloadLine, signedHeaders, region, service } = verified(request);
  const { method, path, headers, nowMs } = request;
  const input = { method, path, headers, nowMs, host, signedHeaders, payload: payloadLine, query: presigned?.query ?? '', ...changes };
  const key = keys.for(role, { nowMs: input.nowMs, region, service });
  return presignRequest({ endsAtMs: [presigned?.expiresAtMs ?? 0], ...input }, key);
}

describe('a request that is signed in its query', () => {
  test("is verified as S3's documentation has it", () => {
    const result = verified(example());
    expect(result).toMatchObject({ service: 's3', region: 'us-east-1', payload: { kind: 'unsigned' }, payloadLine: 'UNSIGNED-PAYLOAD' });
    expect(result.presigned).toEqual({ expiresAtMs: signedAtMs + 86_400_000, query: '' });
  });

  test.each([
    ['another method', { method: 'DELETE' }, 'bad_signature'],
    ['another path', { path: '/secret.txt' }, 'bad_signature'],
    ['another host', { headers: ['Host', 'other.s3.amazonaws.com'] }, 'bad_signature'],
    ['a parameter more', { query: `${published}&acl` }, 'bad_signature'],
    ['a longer life', { query: published.replace('86400', '604800') }, 'bad_signature'],
    ['a life of no seconds', { query: published.replace('86400', '0') }, 'bad_request'],
    ['a life of a second more than a week', { query: published.replace('86400', '604801') }, 'bad_request'],
    ['a life in words', { query: published.replace('86400', '1e3') }, 'bad_request'],
    ['a second signature', { query: `${published}&X-Amz-Signature=${'a'.repeat(64)}` }, 'bad_request'],
    ['a parameter of the signature in other letters', { query: `${published}&x-amz-expires=1` }, 'bad_request'],
    ['a parameter of the signature behind percent signs', { query: `${published}&%58-Amz-Expires=1` }, 'bad_request'],
    ['a parameter missing', { query: published.replace('&X-Amz-Expires=86400', '') }, 'bad_request'],
    ['a date of another form', { query: published.replace('20130524T000000Z', '2013-05-24') }, 'bad_request'],
    ['a date of another day than its scope', { query: published.replace('20130524T000000Z', '20130523T235959Z') }, 'bad_signature'],
    ['another signing method', { query: published.replace('HMAC-SHA256', 'HMAC-SHA1') }, 'bad_request'],
    ['a short signature', { query: published.slice(0, -1) }, 'bad_request'],
    ['an authorization header besides', { headers: ['Host', host, 'Authorization', 'Bearer x'] }, 'bad_request'],
    ['a header of S3 that is not signed', { headers: ['Host', host, 'x-amz-acl', 'public-read'] }, 'bad_signature'],
    ['a session token in a header', { headers: ['Host', host, 'x-amz-security-token', 'x'] }, 'bad_request'],
    [
      'a session token that nobody has given',
      { query: published.replace('&X-Amz-Sig', '&X-Amz-Security-Token=x&X-Amz-Sig') },
      'unknown_key',
    ],
    ['an unknown key', { query: published.replace('AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7STRANGE') }, 'unknown_key'],
  ])('is refused with %s', (_, changes, kind) => {
    expect(verifyRequest(example(changes), verifier)).toMatchObject({ kind });
  });

  test.each([
    ['to the last millisecond of its life', 86_400_000, undefined],
    ['not one past it', 86_400_001, 'denied'],
    ['fifteen minutes before its time, as clocks may differ', -900_000, undefined],
    ['not earlier', -900_001, 'skewed'],
  ])('is accepted %s', (_, afterMs, kind) => {
    const result = verifyRequest(example({ nowMs: signedAtMs + afterMs }), verifier);
    if (kind === undefined) expect(result).not.toHaveProperty('refusal');
    else expect(result).toMatchObject({ kind });
  });

  test('covers the hash of its body where the service is not S3', async () => {
    const signer = new SignatureV4({ credentials: throwAway, region: 'eu-west-1', service: 'polly', sha256: Sha256 });
    const request = { method: 'POST', protocol: 'https:', hostname: 'polly', path: '/v1/speech', headers: { host: 'polly' }, body: 'text' };
    const { query = {} } = await signer.presign(request, { signingDate: new Date(signedAtMs), expiresIn: 60 });
    const raw = Object.entries(query)
      .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
      .join('&');
    const headers = ['Host', 'polly', 'Content-Length', '4'];
    const awaits = verifyRequest({ method: 'POST', path: '/v1/speech', query: raw, headers, nowMs: signedAtMs }, verifier);
    if (!('awaitsBody' in awaits)) throw new Error('judged without the body');
    expect(awaits.verify(hash('sha256', 'text'))).toMatchObject({ service: 'polly', payload: { kind: 'hash' } });
    expect(awaits.verify(hash('sha256', 'test'))).toMatchObject({ kind: 'bad_signature' });
  });
});

describe('presignRequest', () => {
  test('signs again what was signed, with every other parameter as it came', async () => {
    const own = 'versionId=a%2fb&x-id=GetObject&response-content-type=text/plain;%20charset&acl';
    const unsigned = `${own}&${published.replace(/&X-Amz-Signature.*/, '')}`;
    const { accessKeyId } = throwAway;
    expect(accessKeyId).toBe('AKIAIOSFODNN7EXAMPLE');
    const theirs = presignRequest(
      {
        method: 'GET',
        path: '/a//../b%20c',
        query: own,
        host,
        headers: ['x-amz-checksum-mode', 'ENABLED', 'Range', 'bytes=0-9'],
        signedHeaders: ['host', 'range', 'x-amz-checksum-mode'],
        payload: 'UNSIGNED-PAYLOAD',
        endsAtMs: [signedAtMs + 600_000],
        nowMs: signedAtMs,
      },
      keys.for(throwAway, { nowMs: signedAtMs, region: 'us-east-1', service: 's3' }),
    );
    expect(theirs.query.startsWith(own)).toBe(true);
    expect(unsigned).toContain(own);
    const request = {
      method: 'GET',
      path: '/a//../b%20c',
      query: theirs.query,
      headers: [...theirs.headers, 'user-agent', 'x'],
      nowMs: signedAtMs + 1500,
    };
    const again = presign({ path: request.path }, request);
    expect(again.query.startsWith(`${own}&X-Amz-Algorithm=`)).toBe(true);
    expect(again.query).toContain('X-Amz-Security-Token=a%2Bb%2Fc%3D%3D');
    expect(again.query).toContain('X-Amz-SignedHeaders=host%3Brange%3Bx-amz-checksum-mode');
    expect(again.query).toContain('X-Amz-Expires=598');
    expect(again.headers).toContain('user-agent');
    const received = verifyRequest({ ...request, query: again.query, headers: again.headers }, atAws);
    expect(received).toMatchObject({ service: 's3', credentials: role });
  });

  test('lives no longer than the old signature, the session and the credentials, and never a second past them', () => {
    const nowMs = signedAtMs + 60_000;
    const left = (endsAtMs: number[], expiresAtMs?: number) => {
      const key = keys.for(expiresAtMs === undefined ? role : { ...role, expiresAtMs }, { nowMs, region: 'us-east-1', service: 's3' });
      const input = { method: 'GET', path: '/', query: '', host, headers: [], signedHeaders: ['host'], payload: 'UNSIGNED-PAYLOAD', nowMs };
      return presignRequest({ ...input, endsAtMs }, key).expiresAtMs - nowMs;
    };
    expect(left([nowMs + 10_000, nowMs + 20_000])).toBe(10_000);
    expect(left([nowMs + 10_999])).toBe(10_000);
    expect(left([nowMs + 30_000], nowMs + 20_000)).toBe(20_000);
    expect(left([nowMs + 999_999_999])).toBe(604_800_000);
    expect(() => left([nowMs + 999])).toThrow('end before it could be carried out');
  });

  test('puts the token of MQTT over WebSocket behind the signature, as AWS IoT wants it', () => {
    const nowMs = signedAtMs;
    const key = keys.for(role, { nowMs, region: 'us-east-1', service: 'iotdevicegateway' });
    const input = {
      method: 'GET',
      path: '/mqtt',
      query: '',
      host: 'x-ats.iot.us-east-1.amazonaws.com',
      headers: [],
      signedHeaders: ['host'],
    };
    const { query } = presignRequest({ ...input, payload: hash('sha256', ''), endsAtMs: [nowMs + 60_000], nowMs }, key);
    expect(query).toMatch(/&X-Amz-Signature=[0-9a-f]{64}&X-Amz-Security-Token=a%2Bb%2Fc%3D%3D$/);
  });

  test('signs 300 random requests as @smithy/signature-v4 does', async () => {
    const word = fc.string({ unit: fc.constantFrom(...Array.from("abzAZ09-._~!$'()*+,;=:@ /%ü€")), minLength: 1, maxLength: 8 });
    const request = fc.record({
      service: fc.constantFrom('s3', 'sts', 'polly'),
      path: fc.array(word.map(encodeURIComponent), { maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
      query: fc.uniqueArray(fc.tuple(word, word), { selector: ([name]) => name, maxLength: 4 }),
      expiresS: fc.integer({ min: 1, max: 604_800 }),
    });
    for (const { service, path, query, expiresS } of fc.sample(request, { numRuns: 300, seed: 20130524 })) {
      const isS3 = service === 's3';
      const payload = isS3 ? 'UNSIGNED-PAYLOAD' : hash('sha256', '');
      const smithy = new SignatureV4({ credentials: role, region: 'us-east-1', service, sha256: Sha256, uriEscapePath: !isS3 });
      const theirs = await smithy.presign(
        {
          method: 'GET',
          protocol: 'https:',
          hostname: host,
          path,
          query: Object.fromEntries(query),
          headers: { host, ...(isS3 ? { 'x-amz-content-sha256': payload } : {}) },
        },
        {
          signingDate: new Date(signedAtMs),
          expiresIn: expiresS,
          unhoistableHeaders: new Set(['x-amz-content-sha256']),
          unsignableHeaders: new Set(['x-amz-content-sha256']),
        },
      );
      const raw = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
      const key = keys.for(role, { nowMs: signedAtMs, region: 'us-east-1', service });
      const input = { method: 'GET', path, query: raw, host, headers: [], signedHeaders: ['host'], payload, nowMs: signedAtMs };
      const mine = presignRequest({ ...input, endsAtMs: [signedAtMs + expiresS * 1000] }, key);
      expect(/X-Amz-Signature=(\w+)/.exec(mine.query)?.[1], JSON.stringify({ service, path, query })).toBe(
        theirs.query?.['X-Amz-Signature'],
      );
    }
  });
});
