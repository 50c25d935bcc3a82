import { request as httpRequest } from 'node:http';

import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Emulator, startEmulator } from '#index.ts';

// The signer here is AWS's own for JavaScript; the emulator's verifier shares nothing with it.

const nowMs = Date.UTC(2026, 0, 31, 12);
const host = 'dynamodb.us-east-1.amazonaws.com';
const key = { id: 'AKIAEXAMPLEEXAMPLE00', secret: 'a secret/of+the=emulator' };
let emulator: Emulator;
beforeAll(async () => {
  emulator = await startEmulator({ accountId: '123456789012', accessKeys: [key], roles: [{ name: 'Reader' }], nowMs: () => nowMs });
  await emulator.seedTable('us-east-1', { name: 'orders', items: [{ id: { S: '1' } }] });
});
afterAll(() => emulator.close());

interface Draft {
  method: string;
  path: string;
  query?: Record<string, string>;
  headers: Record<string, string>;
  body: string;
}
interface Signing {
  readonly region?: string;
  readonly service?: string;
  readonly atMs?: number;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
}

async function sign(signing: Signing = {}, draft: Partial<Draft> = {}): Promise<Draft> {
  const signer = new SignatureV4({
    service: signing.service ?? 'dynamodb',
    region: signing.region ?? 'us-east-1',
    credentials: signing.credentials ?? { accessKeyId: key.id, secretAccessKey: key.secret },
    sha256: Sha256,
    applyChecksum: draft.headers?.['x-amz-content-sha256'] === undefined,
  });
  const request = { method: 'POST', path: '/', body: '{}', protocol: 'http:', hostname: host, ...draft };
  const headers = { host, 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.ListTables', ...draft.headers };
  const signed = await signer.sign({ ...request, headers, query: draft.query ?? {} } as Parameters<SignatureV4['sign']>[0], {
    signingDate: new Date(signing.atMs ?? nowMs),
  });
  return {
    method: request.method,
    path: request.path,
    body: request.body,
    headers: { ...signed.headers },
    ...(draft.query === undefined ? {} : { query: draft.query }),
  };
}

/** Sends exactly what it is given; a header value that is a list goes out as several headers. */
function send(
  draft: Draft & { readonly extra?: readonly string[] },
): Promise<{ readonly status: number; readonly code: string; readonly message: string; readonly text: string }> {
  const raw = [...Object.entries(draft.headers).flat(), ...(draft.extra ?? []), 'content-length', String(Buffer.byteLength(draft.body))];
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { host: '127.0.0.1', port: emulator.port, method: draft.method, path: draft.path, headers: raw as never, setHost: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const { __type = '', message = '' } = text.startsWith('{') ? (JSON.parse(text) as { __type?: string; message?: string }) : {};
          resolve({ status: response.statusCode ?? 0, code: __type.split('#').at(-1) ?? '', message, text });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(draft.body);
  });
}

describe('a request signed as AWS documents it', () => {
  it('is carried out, and logged with who it came from', async () => {
    expect(await send(await sign())).toMatchObject({ status: 200, text: '{"TableNames":["orders"]}' });
    expect(emulator.log().at(-1)).toMatchObject({
      method: 'POST',
      host,
      service: 'dynamodb',
      region: 'us-east-1',
      operation: 'ListTables',
      verified: true,
      bodyBytes: 2,
      identity: { arn: 'arn:aws:iam::123456789012:user/agent' },
    });
  });

  it('is carried out with any headers signed besides, spaces and all', async () => {
    const draft = await sign(
      {},
      { headers: { 'x-amz-meta-a': '  several   spaces  ', 'amz-sdk-request': 'attempt=1', 'x-custom': 'ü'.normalize() } },
    );
    expect((await send(draft)).status).toBe(200);
  });

  it('is one for its region: each region has its own tables', async () => {
    const europe = { headers: { host: 'dynamodb.eu-west-1.amazonaws.com' } };
    expect(await send(await sign({ region: 'eu-west-1' }, europe))).toMatchObject({ status: 200, text: '{"TableNames":[]}' });
  });

  it('may come up to 15 minutes early or late', async () => {
    for (const atMs of [nowMs - 14 * 60_000, nowMs + 14 * 60_000]) expect((await send(await sign({ atMs }))).status).toBe(200);
  });
});

describe('a request that was tampered with', () => {
  const tamper = async (change: (draft: Draft) => Partial<Draft> & { readonly extra?: readonly string[] }) => {
    const draft = await sign();
    const entries = emulator.log().length;
    const answer = await send({ ...draft, ...change(draft) });
    const logged = emulator.log().slice(entries);
    expect(logged.map(({ verified, refusal }) => [verified, refusal])).toEqual([[false, answer.code]]);
    return answer;
  };
  const mismatch = { status: 400, code: 'InvalidSignatureException' };

  it('is refused for another body', async () => {
    expect(await tamper(() => ({ body: '{"Limit":1}' }))).toMatchObject(mismatch);
  });

  it('is refused for another path or query', async () => {
    expect(await tamper(() => ({ path: '/x' }))).toMatchObject(mismatch);
    expect(await tamper(() => ({ path: '/?a=b' }))).toMatchObject(mismatch);
  });

  it('is refused for another method', async () => {
    expect(await tamper(() => ({ method: 'PUT' }))).toMatchObject(mismatch);
  });

  it('is refused for another operation, type or host', async () => {
    expect(await tamper(({ headers }) => ({ headers: { ...headers, 'x-amz-target': 'DynamoDB_20120810.DeleteTable' } }))).toMatchObject(
      mismatch,
    );
    expect(await tamper(({ headers }) => ({ headers: { ...headers, 'content-type': 'application/json' } }))).toMatchObject(mismatch);
    expect(await tamper(({ headers }) => ({ headers: { ...headers, host: '123456789012.ddb.us-east-1.amazonaws.com' } }))).toMatchObject(
      mismatch,
    );
  });

  it('is refused for an x-amz header that nobody signed', async () => {
    const answer = await tamper(({ headers }) => ({ headers: { ...headers, 'x-amz-meta-added': '1' } }));
    expect(answer.message).toBe('There were headers present in the request which were not signed: x-amz-meta-added');
  });

  it('is refused for a header given twice, equal or not', async () => {
    expect(await tamper(() => ({ extra: ['X-Amz-Target', 'DynamoDB_20120810.ListTables'] }))).toMatchObject(mismatch);
    expect(await tamper(() => ({ extra: ['Content-Type', 'application/json'] }))).toMatchObject(mismatch);
  });

  it('is refused for a signature, date or session token of its own', async () => {
    expect(
      await tamper(({ headers }) => ({ headers: { ...headers, authorization: (headers['authorization'] ?? '').replace(/.$/u, 'x') } })),
    ).toMatchObject(mismatch);
    expect(await tamper(({ headers }) => ({ headers: { ...headers, 'x-amz-date': '20260131T120001Z' } }))).toMatchObject(mismatch);
    expect(
      await tamper(({ headers }) => ({ headers: { ...headers, authorization: (headers['authorization'] ?? '').replace('host;', '') } })),
    ).toMatchObject(mismatch);
  });

  it('is refused for a hash of the body that is not that of the body', async () => {
    expect(await send(await sign({}, { headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }))).toMatchObject(mismatch);
    expect(await send(await sign({}, { headers: { 'x-amz-content-sha256': 'a'.repeat(64) } }))).toMatchObject(mismatch);
  });
});

describe('a request signed for something else', () => {
  it.each([
    [
      'another region',
      { region: 'eu-west-1' },
      'InvalidSignatureException',
      "Credential should be scoped to a valid region, not 'eu-west-1'. ",
    ],
    ['another service', { service: 'sts' }, 'InvalidSignatureException', "Credential should be scoped to correct service: 'dynamodb'. "],
    [
      '20 minutes ago',
      { atMs: nowMs - 20 * 60_000 },
      'InvalidSignatureException',
      'Signature expired: 20260131T114000Z is now earlier than 20260131T114500Z (20260131T120000Z - 15 min.)',
    ],
    ['20 minutes ahead', { atMs: nowMs + 20 * 60_000 }, 'InvalidSignatureException', 'Signature not yet current'],
    [
      'a wrong secret',
      { credentials: { accessKeyId: key.id, secretAccessKey: 'other' } },
      'InvalidSignatureException',
      'The request signature we calculated does not match',
    ],
    [
      'an unknown key',
      { credentials: { accessKeyId: 'AKIAUNKNOWNUNKNOWN00', secretAccessKey: key.secret } },
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    ],
    [
      'a token that nobody issued',
      { credentials: { accessKeyId: key.id, secretAccessKey: key.secret, sessionToken: 'x' } },
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    ],
  ] satisfies readonly (readonly [string, Signing, string, string])[])('is refused: %s', async (_, signing, code, message) => {
    const answer = await send(await sign(signing));
    expect(answer).toMatchObject({ status: 400, code });
    expect(answer.message).toContain(message);
  });

  it('is refused where the host is not the one of AWS, unless clients may be pointed at the emulator', async () => {
    expect(await send(await sign({}, { headers: { host: `127.0.0.1:${emulator.port}` } }))).toMatchObject({ status: 421 });
    expect(await send(await sign({}, { headers: { host: 'dynamodb.us-east-1.amazonaws.com.evil.com' } }))).toMatchObject({ status: 421 });
  });

  it('is refused where Streams is asked at the host of DynamoDB, though both have one signing name', async () => {
    expect(await send(await sign({}, { headers: { 'x-amz-target': 'DynamoDBStreams_20120810.ListStreams' } }))).toMatchObject({
      code: 'UnknownOperationException',
    });
  });

  it.each([
    [{}, 'MissingAuthenticationTokenException'],
    [{ authorization: 'Bearer x' }, 'MissingAuthenticationTokenException'],
    [{ authorization: 'AWS4-ECDSA-P256-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=0' }, 'IncompleteSignatureException'],
    [{ authorization: 'AWS4-HMAC-SHA256 Credential=a/b/c/d' }, 'IncompleteSignatureException'],
    [{ authorization: 'AWS4-HMAC-SHA256 Credential=a/b/c/d/e/f, SignedHeaders=host, Signature=0' }, 'IncompleteSignatureException'],
    [
      {
        authorization: 'AWS4-HMAC-SHA256 Credential=a/20260131/us-east-1/dynamodb/aws4_request, SignedHeaders=x-amz-date, Signature=0',
        'x-amz-date': '20260131T120000Z',
      },
      'InvalidSignatureException',
    ],
    [
      { authorization: 'AWS4-HMAC-SHA256 Credential=a/20260131/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0' },
      'IncompleteSignatureException',
    ],
    [
      {
        authorization: 'AWS4-HMAC-SHA256 Credential=a/20260131/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
        'x-amz-date': 'today',
      },
      'IncompleteSignatureException',
    ],
  ])('is refused with the headers %j', async (headers, code) => {
    const base = { host, 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.ListTables' };
    expect(await send({ method: 'POST', path: '/', body: '{}', headers: { ...base, ...headers } })).toMatchObject({ status: 400, code });
  });
});
