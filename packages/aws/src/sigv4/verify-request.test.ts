import { hash } from 'node:crypto';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAuthorization } from '#sigv4/verify/authorization-header.ts';
import { prove } from '#sigv4/keys/prove.ts';
import { SigningKeys } from '#sigv4/signing-keys.ts';
import { signRequest } from '#sigv4/sign-request.ts';
import { verifyRequest, type VerifyInput } from '#sigv4/verify-request.ts';

const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'throw-away' };
const keys = new SigningKeys();
const nowMs = Date.UTC(2026, 4, 6, 7, 8, 9);
const verifier = { keys, credentialsOf: (id: string) => (id === credentials.accessKeyId ? credentials : undefined) };

function signed(changes: Partial<VerifyInput> & { readonly sign?: readonly string[] } = {}): VerifyInput {
  const body = '{"TableName":"Music"}';
  const headers = changes.sign ?? ['Content-Type', 'application/x-amz-json-1.0', 'X-Amz-Target', 'DynamoDB_20120810.GetItem'];
  const request = { method: 'POST', path: '/', query: '', host: 'localhost', headers, payload: Buffer.from(body), nowMs };
  const result = signRequest(request, keys.for(credentials, { nowMs, region: 'us-east-1', service: 'dynamodb' }));
  const { sign: _, ...rest } = changes;
  return { method: 'POST', path: '/', query: '', headers: result.headers, bodySha256: hash('sha256', body), nowMs, ...rest };
}

function replaced(input: VerifyInput, name: string, value: (before: string) => string): VerifyInput {
  const headers = [...input.headers];
  const at = headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name);
  headers[at + 1] = value(headers[at + 1] ?? '');
  return { ...input, headers };
}

describe('verifyRequest', () => {
  test('a request as it was signed is accepted with its scope', () => {
    expect(verifyRequest(signed(), verifier)).toMatchObject({ credentials, region: 'us-east-1', service: 'dynamodb' });
  });

  test.each([
    ['another method', signed({ method: 'PUT' })],
    ['another path', signed({ path: '/x' })],
    ['a query added', signed({ query: 'a=b' })],
    ['another body', signed({ bodySha256: hash('sha256', 'other') })],
    ['another target', replaced(signed(), 'x-amz-target', () => 'DynamoDB_20120810.DeleteTable')],
    ['another host', replaced(signed(), 'host', () => 'dynamodb.us-east-1.amazonaws.com')],
    ['a second target', { ...signed(), headers: [...signed().headers, 'X-Amz-Target', 'DynamoDB_20120810.DeleteTable'] }],
    ['a security token that was not signed', { ...signed(), headers: [...signed().headers, 'X-Amz-Security-Token', 'x'] }],
    ['one digit of the signature', replaced(signed(), 'authorization', (text) => text.replace(/.$/, (last) => (last === '0' ? '1' : '0')))],
  ])('%s is refused', (_, input) => {
    expect(verifyRequest(input, verifier)).toMatchObject({ kind: 'bad_signature' });
  });

  test.each([
    ['no hash', []],
    ['the name of chunks that are none', ['X-Amz-Content-Sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD']],
    ['the word that it is not signed', ['X-Amz-Content-Sha256', 'UNSIGNED-PAYLOAD']],
    ['that word and a trailer', ['X-Amz-Content-Sha256', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER']],
    ['the hash of no body', ['X-Amz-Content-Sha256', hash('sha256', '')]],
  ])('PutMedia is signed with %s, and is verified before its endless body; nothing else is', (_, headers) => {
    const asked = { method: 'POST', path: '/putMedia', query: '', headers, host: 'h', nowMs };
    const line = headers[1] ?? hash('sha256', '');
    const of = (service: string, path: string): VerifyInput => {
      const { headers: made } = signRequest(
        { ...asked, path, payload: line },
        keys.for(credentials, { nowMs, region: 'us-east-1', service }),
      );
      return { ...asked, path, headers: [...made, 'Transfer-Encoding', 'chunked'] };
    };
    expect(verifyRequest(of('kinesisvideo', '/putMedia'), verifier)).toMatchObject({
      payload: { kind: 'unsigned', isEndless: true },
      payloadLine: line,
    });
    const others = [of('kinesisvideo', '/putmedia'), of('kinesisvideo', '/getMedia'), of('kinesis', '/putMedia')];
    for (const other of others) expect(verifyRequest(other, verifier)).not.toMatchObject({ payload: { isEndless: true } });
  });

  test('over HTTP/2 the JavaScript SDK signs :authority in place of Host: it is the host all the same, and no other', async () => {
    const signer = new SignatureV4({ credentials, region: 'us-east-1', service: 'bedrock', sha256: Sha256 });
    const request = { method: 'POST', protocol: 'https:', hostname: 'h', path: '/', query: {}, headers: { ':authority': 'h.example' } };
    const { headers } = await signer.sign(request, { signingDate: new Date(nowMs) });
    const { ':authority': _, ...others } = headers;
    const of = (host: string): VerifyInput => ({
      method: 'POST',
      path: '/',
      query: '',
      nowMs,
      headers: ['host', host, ...Object.entries(others).flat()],
    });
    expect(verifyRequest(of('h.example'), verifier)).toMatchObject({
      service: 'bedrock',
      signedHeaders: expect.arrayContaining([':authority']),
    });
    expect(verifyRequest(of('other.example'), verifier)).toMatchObject({ kind: 'bad_signature' });
  });

  test('a missing, doubled or foreign authorization is told apart from a wrong one', () => {
    const input = signed();
    const without = { ...input, headers: input.headers.slice(0, -2) };
    expect(verifyRequest(without, verifier)).toMatchObject({ kind: 'missing_key' });
    expect(verifyRequest({ ...input, headers: [...input.headers, ...input.headers.slice(-2)] }, verifier)).toMatchObject({
      kind: 'bad_request',
    });
    expect(
      verifyRequest(
        replaced(input, 'authorization', () => 'Bearer x'),
        verifier,
      ),
    ).toMatchObject({ kind: 'bad_request' });
    expect(verifyRequest(input, { ...verifier, credentialsOf: () => undefined })).toMatchObject({ kind: 'unknown_key' });
  });

  test.each([
    [15 * 60_000, true],
    [15 * 60_000 + 1000, false],
    [-15 * 60_000, true],
    [-15 * 60_000 - 1000, false],
  ])("a clock that is %i ms off is judged in AWS's words (accepted: %s)", (offMs, accepted) => {
    const result = verifyRequest({ ...signed(), nowMs: nowMs + offMs }, verifier);
    if (accepted) expect(result).not.toHaveProperty('refusal');
    else
      expect(result).toMatchObject({
        kind: 'skewed',
        refusal: expect.stringMatching(/^Signature (expired|not yet current): 20260506T070809Z is /),
      });
  });

  test('what declares no hash is verified when the hash of its body is known, and not before', () => {
    const { bodySha256 = '', ...unhashed } = signed();
    const awaits = verifyRequest(unhashed, verifier);
    if (!('awaitsBody' in awaits)) throw new Error('the signature was judged without the body');
    expect(awaits.claimed).toMatchObject({ service: 'dynamodb', region: 'us-east-1' });
    expect(awaits.verify(bodySha256)).toMatchObject({ payload: { kind: 'hash', sha256: bodySha256 }, payloadLine: bodySha256 });
    expect(awaits.verify(hash('sha256', 'other'))).toMatchObject({ kind: 'bad_signature' });
    // without length or transfer coding there is no body, and this one was signed with one
    const at = unhashed.headers.indexOf('content-length');
    const bodiless = { ...unhashed, headers: unhashed.headers.toSpliced(at, 2) };
    expect(verifyRequest(bodiless, verifier)).toMatchObject({ kind: 'bad_signature' });
  });

  test('nothing of one verification helps another: a request is judged anew each time, by its own date, key and body', () => {
    const request = signed();
    expect(verifyRequest(request, verifier)).not.toHaveProperty('refusal');
    expect(verifyRequest(request, verifier)).not.toHaveProperty('refusal');
    expect(verifyRequest({ ...request, nowMs: nowMs + 15 * 60_000 + 1000 }, verifier)).toMatchObject({ kind: 'skewed' });
    expect(verifyRequest({ ...request, bodySha256: hash('sha256', 'other') }, verifier)).toMatchObject({ kind: 'bad_signature' });
    const renewed = { ...credentials, secretAccessKey: 'of the next session' };
    expect(verifyRequest(request, { ...verifier, credentialsOf: () => renewed })).toMatchObject({ kind: 'bad_signature' });
    expect(verifyRequest(request, { ...verifier, credentialsOf: () => undefined })).toMatchObject({ kind: 'unknown_key' });
  });

  test('a request that carries Date alone is judged by it, and by x-amz-date where both are there', () => {
    const headers = (dates: readonly string[], date: string): string[] => {
      const text = ['GET', '/', '', `date:${date}`, 'host:h', '', 'date;host', hash('sha256', '')].join('\n');
      const key = keys.for(credentials, { nowMs, region: 'us-east-1', service: 'sts' });
      const proof = prove(key, `AWS4-HMAC-SHA256\n20260506T070809Z\n${key.scope}\n${hash('sha256', text)}`);
      const credential = `Credential=${credentials.accessKeyId}/${key.scope}, SignedHeaders=date;host, Signature=${proof}`;
      return ['Host', 'h', ...dates, 'Authorization', `AWS4-HMAC-SHA256 ${credential}`];
    };
    const judge = (dates: readonly string[], date: string) =>
      verifyRequest({ method: 'GET', path: '/', query: '', headers: headers(dates, date), nowMs }, verifier);
    const httpDate = 'Wed, 06 May 2026 07:08:09 GMT';
    expect(judge(['Date', httpDate], httpDate)).toMatchObject({ service: 'sts' });
    expect(judge(['Date', '20260506T070809Z'], '20260506T070809Z')).toMatchObject({ service: 'sts' });
    expect(judge(['Date', httpDate, 'X-Amz-Date', '20260506T065809Z'], httpDate)).toMatchObject({ kind: 'bad_signature' });
    expect(judge(['Date', 'Thu, 06 May 2026 07:08:09 GMT'], httpDate)).toMatchObject({ kind: 'bad_request' });
    expect(judge([], httpDate)).toMatchObject({ kind: 'bad_request' });
  });

  test('a payload mode that is not known, or of another kind than the signature, is refused', () => {
    const of = (mode: string) => {
      const headers = ['x-amz-content-sha256', mode];
      const request = { method: 'PUT', path: '/', query: '', host: 'h', headers, payload: mode, nowMs };
      const { headers: raw } = signRequest(request, keys.for(credentials, { nowMs, region: 'us-east-1', service: 's3' }));
      return verifyRequest({ method: 'PUT', path: '/', query: '', headers: raw, nowMs }, verifier);
    };
    expect(of('STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER')).toMatchObject({
      payload: { kind: 'signed_chunks', algorithm: 'AWS4-HMAC-SHA256', hasTrailer: true },
    });
    expect(of('STREAMING-AWS4-HMAC-SHA256-EVENTS')).toMatchObject({ payload: { kind: 'events' } });
    expect(of('STREAMING-UNSIGNED-PAYLOAD-TRAILER')).toMatchObject({ payload: { kind: 'unsigned_trailer' } });
    expect(of('UNSIGNED-PAYLOAD')).toMatchObject({ payload: { kind: 'unsigned' } });
    for (const mode of ['unsigned-payload', 'STREAMING-AWS5-PAYLOAD', 'A'.repeat(64), 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD', ''])
      expect(of(mode)).toMatchObject({ kind: 'bad_request' });
  });
});

describe('parseAuthorization', () => {
  const whole = `AWS4-HMAC-SHA256 Credential=AKID/20260506/us-east-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=${'a'.repeat(64)}`;

  test('the parts may stand in any order and without blanks, each once', () => {
    expect(parseAuthorization(whole)).toMatchObject({ accessKeyId: 'AKID', service: 'sts', signedHeaders: ['host', 'x-amz-date'] });
    const [scheme = '', ...parts] = whole.replaceAll(',', '').split(' ');
    expect(parseAuthorization(`${scheme} ${parts.toReversed().join(',')}`)).toEqual(parseAuthorization(whole));
    expect(parseAuthorization(`${whole}, Signature=${'b'.repeat(64)}`)).toBeUndefined();
  });

  test.each([
    ['a short signature', whole.slice(0, -1)],
    ['capitals in the signature', whole.replace(/a{64}$/, 'A'.repeat(64))],
    ['headers out of order', whole.replace('host;x-amz-date', 'x-amz-date;host')],
    ['a header twice', whole.replace('host;x-amz-date', 'host;host')],
    ['a scope of another kind', whole.replace('aws4_request', 'aws5_request')],
    ['another algorithm', whole.replace('HMAC-SHA256', 'HMAC-SHA512')],
    ['a region in the scope of SigV4a', whole.replace('HMAC', 'ECDSA-P256')],
    ['more text than a header has', `${whole}${' '.repeat(8192)}`],
  ])('%s is not read', (_, text) => {
    expect(parseAuthorization(text)).toBeUndefined();
  });

  test('no text makes it throw', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('AWS4-HMAC-SHA256 ', 'Credential=', '/', ',', 'a', ';', '=', ' ') }),
        (text) => void parseAuthorization(text),
      ),
    );
  });
});
