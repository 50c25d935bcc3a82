import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Credentials } from '#credentials/credentials.ts';
import { headerRule } from '#sigv4/canonical/header-rules.ts';
import { SigningKeys } from '#sigv4/signing-keys.ts';
import { SigningError } from '#sigv4/signing-error.ts';
import { signRequest, type SignInput } from '#sigv4/sign-request.ts';

const credentials: Credentials = { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'secret', sessionToken: 'agent-token' };
const nowMs = Date.UTC(2026, 0, 2, 23, 59, 59, 900);
const scope = { nowMs, region: 'eu-west-1', service: 'dynamodb' };

function sign(changes: Partial<SignInput>, by = credentials) {
  const key = new SigningKeys().for(by, scope);
  const input = {
    method: 'POST',
    path: '/',
    query: '',
    host: 'dynamodb.eu-west-1.amazonaws.com',
    headers: [],
    payload: Buffer.from('{}'),
    nowMs,
  };
  return signRequest({ ...input, ...changes }, key);
}

function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name.toLowerCase(), flat[i + 1] ?? ''] as [string, string]] : []));
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return error instanceof SigningError ? error.code : String(error);
  }
}

describe('signRequest', () => {
  test("the client's credentials, date, host, cookies and hop-by-hop headers never reach AWS; the rest travels as it came", () => {
    const { headers } = sign({
      headers: [
        [
          'Host',
          'localhost:8000',
          'Authorization',
          'AWS4-HMAC-SHA256 stolen',
          'X-Amz-Security-Token',
          'client',
          'x-AMZ-date',
          'x',
          'Date',
          'x',
        ],
        [
          'Cookie',
          'a=b',
          'Connection',
          'close, X-Secret-Hop',
          'X-Secret-Hop',
          '1',
          'Keep-Alive',
          '1',
          'TE',
          'trailers',
          'Trailer',
          'x',
          'Upgrade',
          'h2c',
        ],
        [
          'Transfer-Encoding',
          'chunked',
          'Expect',
          '100-continue',
          'Proxy-Authorization',
          'x',
          'X-Forwarded-For',
          '1',
          'Forwarded',
          'x',
          'Via',
          'x',
        ],
        ['X-Real-Ip', '1', 'X-Amz-S3session-Token', 'x', 'Content-Length', '999'],
        ['User-Agent', 'boto3', 'Content-Type', 'application/x-amz-json-1.0', 'X-Amz-Meta', 'a   b '],
      ].flat(),
    });
    expect(pairs(headers.slice(0, -2))).toEqual([
      ['user-agent', 'boto3'],
      ['content-type', 'application/x-amz-json-1.0'],
      ['x-amz-meta', 'a   b '],
      ['host', 'dynamodb.eu-west-1.amazonaws.com'],
      ['content-length', '2'],
      ['x-amz-date', '20260102T235959Z'],
      ['x-amz-security-token', 'agent-token'],
    ]);
    expect(headers.slice(-2)[1]).toContain('SignedHeaders=content-type;host;x-amz-date;x-amz-meta;x-amz-security-token,');
  });

  test('without a session token of our own no token travels, not even the stale one of the client', () => {
    const { headers } = sign({ headers: ['X-Amz-Security-Token', 'stale'] }, { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' });
    expect(pairs(headers).map(([name]) => name)).not.toContain('x-amz-security-token');
  });

  test.each(['Content-Type', 'X-Amz-Target', 'x-amz-content-sha256', 'Content-Length', 'Content-Encoding'])(
    'a second %s is refused',
    (name) => {
      const value = name === 'x-amz-content-sha256' ? hash('sha256', '{}') : '2';
      expect(codeOf(() => sign({ headers: [name, value] }))).toBeUndefined();
      expect(codeOf(() => sign({ headers: [name, value, name.toUpperCase(), value] }))).toBe('duplicate_header');
    },
  );

  test('the content hash of the client is kept where it is true and refused where it is not', () => {
    const declared = (value: string): string[] => ['x-amz-content-sha256', value];
    expect(pairs(sign({ headers: declared(hash('sha256', '{}')) }).headers)).toContainEqual(['x-amz-content-sha256', hash('sha256', '{}')]);
    expect(codeOf(() => sign({ headers: declared(hash('sha256', '{ }')) }))).toBe('payload_mismatch');
    expect(codeOf(() => sign({ headers: declared('UNSIGNED-PAYLOAD'), payload: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' }))).toBe(
      'payload_mismatch',
    );
  });

  test('a payload mode is signed as such and its length stays what the client said', () => {
    const { headers } = sign({
      headers: ['Content-Length', '77', 'x-amz-content-sha256', 'UNSIGNED-PAYLOAD'],
      payload: 'UNSIGNED-PAYLOAD',
    });
    expect(pairs(headers)).toContainEqual(['content-length', '77']);
  });

  test.each([
    ['a line break in a value', ['X-A', 'b\r\nX-Amz-Target: c']],
    ['a zero byte in a value', ['X-A', 'b\0']],
    ['a blank in a name', ['X A', 'b']],
    ['an empty name', ['', 'b']],
    ['a name without a value', ['X-A']],
  ])('%s is refused', (_, headers) => {
    expect(codeOf(() => sign({ headers }))).toBe('bad_header');
  });

  test('latin1 bytes in a header are hashed as the bytes that travel', () => {
    const value = Buffer.from('grün', 'utf8').toString('latin1');
    expect(sign({ headers: ['x-amz-meta-a', value] }).signature).not.toBe(sign({ headers: ['x-amz-meta-a', 'grün'] }).signature);
  });

  test('a key of yesterday does not sign a request of today', () => {
    expect(codeOf(() => sign({ nowMs: nowMs + 99 }))).toBeUndefined();
    expect(codeOf(() => sign({ nowMs: nowMs + 100 }))).toBe('wrong_day');
  });
});

describe('SigningKeys', () => {
  test('one key serves a day, region and service, and another one of any of them is another key', () => {
    const keys = new SigningKeys();
    const key = keys.for(credentials, scope);
    expect(keys.for(credentials, { ...scope, nowMs: nowMs - 3_600_000 })).toBe(key);
    for (const other of [{ nowMs: nowMs + 100 }, { region: 'eu-west-2' }, { service: 'sts' }]) {
      expect(keys.for(credentials, { ...scope, ...other }).scope).not.toBe(key.scope);
    }
    expect(keys.for({ ...credentials }, scope)).not.toBe(key);
  });

  test('sixteen keys are kept for a set of credentials, and a seventeenth puts the oldest out', () => {
    const keys = new SigningKeys();
    for (let i = 1; i <= 16; i += 1) keys.for(credentials, { ...scope, region: `eu-west-${i}` });
    expect(keys.countFor(credentials)).toBe(16);
    keys.for(credentials, { ...scope, region: 'eu-west-17' });
    expect(keys.countFor(credentials)).toBe(16);
  });
});

test('headers in ever new spellings do not fill the memory of rules', () => {
  const before = headerRule('X-Kept');
  for (let i = 0; i < 2000; i += 1) headerRule(`x-spelling-${i}`);
  expect(headerRule('X-Kept')).toBe(before);
  expect(headerRule('x-spelling-1999')).not.toBe(headerRule('x-spelling-1999'));
});
