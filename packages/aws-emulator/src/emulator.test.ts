import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createRequire } from 'node:module';
import { connect } from 'node:net';

import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startControl } from '#control.ts';
import { type Emulator, startEmulator } from '#index.ts';
import { startEcho } from '#ssmmessages/echo.ts';
import { type WireAnswer, sendWire } from '#testing/wire.ts';

const key = { id: 'AKIAEXAMPLEEXAMPLE00', secret: 'secret' };
const pem = (name: string) => readFileSync(createRequire(import.meta.url).resolve(`dynalite/ssl/server-${name}.pem`));
const host = 'files.s3.us-east-1.amazonaws.com';
let emulator: Emulator;
let clock = Date.now();
beforeAll(async () => {
  emulator = await startEmulator({
    accountId: '123456789012',
    accessKeys: [key],
    nowMs: () => clock,
    alsoTls: { key: pem('key'), cert: pem('crt') },
  });
  emulator.seedObject('us-east-1', { bucket: 'files', key: 'hello', body: 'hello' });
});
afterAll(() => emulator.close());

interface Sending {
  readonly method?: string;
  readonly service?: string;
  readonly to?: string;
  readonly path?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function send({ method = 'PUT', service = 's3', to = host, path = '/k', body = '', headers = {} }: Sending): Promise<WireAnswer> {
  const credentials = { accessKeyId: key.id, secretAccessKey: key.secret };
  const signer = new SignatureV4({ service, region: 'us-east-1', credentials, sha256: Sha256, uriEscapePath: service !== 's3' });
  const hashed = { host: to, 'x-amz-content-sha256': createHash('sha256').update(body).digest('hex') };
  const signed = await signer.sign(
    { method, protocol: 'https:', hostname: to, path, query: {}, headers: hashed },
    { signingDate: new Date(clock) },
  );
  return sendWire({ port: emulator.port, method, path, headers: Object.entries({ ...signed.headers, ...headers }), body });
}
const codeOf = (answer: WireAnswer): string => /<Code>(?<code>\w+)<\/Code>/u.exec(answer.text)?.groups?.['code'] ?? '';

describe('a fault', () => {
  it('of S3 comes before the body is asked for, and Retry-After with it', async () => {
    emulator.setMode('PutObject', { status: 503, code: 'SlowDown', times: 1 });
    const answer = await send({ body: 'x', headers: { expect: '100-continue' } });
    expect([answer.status, codeOf(answer), answer.continues]).toEqual([503, 'SlowDown', 0]);
    expect(emulator.log().at(-1)).toMatchObject({ operation: 'PutObject', verified: true, bodyBytes: 0 });
  });

  it('may send the client elsewhere, and may say 100 Continue more than once', async () => {
    emulator.setMode('PutObject', { redirectTo: 'https://files.s3.eu-west-1.amazonaws.com/k', redirectStatus: 301, times: 1 });
    const answer = await send({ body: 'x', headers: { expect: '100-continue' } });
    expect([answer.status, answer.headers.location]).toEqual([301, 'https://files.s3.eu-west-1.amazonaws.com/k']);
    emulator.setMode('PutObject', { continues: 2, times: 1 });
    const twice = await send({ body: 'x', headers: { expect: '100-continue' } });
    expect([twice.status, twice.continues]).toEqual([200, 2]);
  });

  it('may last for a time from the first request on', async () => {
    emulator.setMode('GetCallerIdentity', { status: 503, forMs: 10_000, retryAfterSeconds: 2 });
    const form = {
      method: 'POST',
      service: 'sts',
      to: 'sts.us-east-1.amazonaws.com',
      path: '/',
      body: 'Action=GetCallerIdentity&Version=2011-06-15',
    };
    const call = () => send({ ...form, headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    const first = await call();
    expect([first.status, codeOf(first), first.headers['retry-after']]).toEqual([503, 'ServiceUnavailable', '2']);
    clock += 9999;
    expect((await call()).status).toBe(503);
    clock += 1;
    expect((await call()).status).toBe(200);
  });

  it('may leave the client without an answer', async () => {
    emulator.setMode('HeadBucket', { hangs: true, times: 1 });
    const answered = send({ method: 'HEAD', path: '/' }).then(() => 'answered');
    const waited = new Promise((resolve) => setTimeout(() => resolve('waiting'), 200));
    expect(await Promise.race([answered, waited])).toBe('waiting');
    answered.catch(() => undefined);
  });

  it('may throw an upload away, hashed and counted, and break a download off', async () => {
    emulator.setMode('PutObject', { discard: true, times: 1 });
    const body = 'x'.repeat(300_000);
    expect((await send({ path: '/gone', body })).status).toBe(200);
    expect(emulator.log().at(-1)).toMatchObject({ bodyBytes: 300_000, bodySha256: createHash('sha256').update(body).digest('hex') });
    expect(codeOf(await send({ method: 'GET', path: '/gone' }))).toBe('InternalError');
    emulator.seedObject('us-east-1', { bucket: 'files', key: 'large', generatedBytes: 1_000_000 });
    emulator.setMode('GetObject', { resetAfterBytes: 100_000, times: 1 });
    await expect(send({ method: 'GET', path: '/large' })).rejects.toThrow();
    expect((await send({ method: 'GET', path: '/large' })).text).toHaveLength(1_000_000);
  });

  it('and an object can be ordered from outside the process', async () => {
    const probe = await startEcho();
    await probe.close();
    await startControl(emulator, probe.port);
    const order = (method: string, path: string, body = '') => sendWire({ port: probe.port, method, path, headers: [['host', 'x']], body });
    expect((await order('PUT', '/objects/us-east-1', '{"bucket":"files","key":"ordered","body":"text"}')).status).toBe(204);
    expect((await send({ method: 'GET', path: '/ordered' })).text).toBe('text');
    expect((await order('PUT', '/modes/GetObject', '{"status":500}')).status).toBe(204);
    expect((await send({ method: 'GET', path: '/ordered' })).status).toBe(500);
    expect((await order('DELETE', '/modes/GetObject')).status).toBe(204);
    expect((await send({ method: 'GET', path: '/ordered' })).status).toBe(200);
    expect((await order('PUT', '/modes/GetObject', 'no JSON')).status).toBe(400);
    expect((await order('PUT', '/else/GetObject', '{}')).status).toBe(404);
  });
});

describe('a client that leaves', () => {
  it('in the middle of an upload leaves nothing behind, and a line in the raw log', async () => {
    const before = emulator.log().length;
    const credentials = { accessKeyId: key.id, secretAccessKey: key.secret };
    const signer = new SignatureV4({ service: 's3', region: 'us-east-1', credentials, sha256: Sha256, uriEscapePath: false });
    const headers = { host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    const signed = await signer.sign(
      { method: 'PUT', protocol: 'https:', hostname: host, path: '/half', query: {}, headers },
      { signingDate: new Date(clock) },
    );
    await new Promise<void>((resolve) => {
      const outgoing = httpRequest({
        port: emulator.port,
        method: 'PUT',
        path: '/half',
        headers: { ...signed.headers, 'content-length': 4_000_000 },
      });
      outgoing.on('error', () => resolve());
      outgoing.write('x'.repeat(2_000_000), () => setTimeout(() => outgoing.destroy(new Error('left')), 50));
    });
    await expect.poll(() => emulator.log().length).toBe(before + 1);
    expect(emulator.log().at(-1)).toMatchObject({ verified: false, refusal: 'IncompleteBody', operation: 'PutObject' });
    expect(codeOf(await send({ method: 'GET', path: '/half' }))).toBe('NoSuchKey');
  });
});

describe('what is not HTTP', () => {
  it('goes through a WebSocket of Session Manager and comes back, and through none of another host', async () => {
    const open = (to: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(emulator.port, '127.0.0.1');
        let text = '';
        socket.on('error', reject);
        socket.on('close', () => resolve(text));
        socket.on('data', (data) => {
          text += data.toString('latin1');
          if (text.includes('hello')) socket.destroy();
        });
        socket.write(
          `GET /v1/data-channel/s?role=publish_subscribe HTTP/1.1\r\nhost: ${to}\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n`,
        );
        const mask = Buffer.from([1, 2, 3, 4]);
        const masked = Buffer.from('hello').map((byte, index) => byte ^ (mask[index % 4] ?? 0));
        socket.write(Buffer.concat([Buffer.from([0x81, 0x85]), mask, masked]));
      });
    // The key and its answer are the example of RFC 6455.
    const answered = await open('ssmmessages.us-east-1.amazonaws.com');
    expect(answered).toMatch(/^HTTP\/1\.1 101 [^]*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/u);
    expect(answered.slice(-7)).toBe('\u0081\u0005hello');
    expect(await open('s3.us-east-1.amazonaws.com')).toMatch(/^HTTP\/1\.1 403 /u);
  });

  it('goes to a port that gives back every byte', async () => {
    const echo = await startEcho();
    const back = await new Promise<string>((resolve, reject) => {
      let text = '';
      const socket = connect({ port: echo.port, host: '127.0.0.1', allowHalfOpen: true });
      socket.on('error', reject);
      socket.on('data', (data) => (text += data.toString()));
      socket.on('end', () => resolve(text));
      socket.end('any bytes');
    });
    expect(back).toBe('any bytes');
    await echo.close();
  });
});

describe('the second listener', () => {
  it('speaks TLS, and its cookies say so', async () => {
    const status = await new Promise((resolve, reject) => {
      const options = { port: emulator.tlsPort, rejectUnauthorized: false, headers: { host: 'console.aws.amazon.com' } };
      httpsRequest(options, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect([status, emulator.log().at(-1)?.service]).toEqual([401, 'console']);
  });
});
