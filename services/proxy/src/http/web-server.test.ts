import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { caPin } from '@postern/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunningProxy } from '#index.ts';
import { dial, TestCluster } from '#testing/test-cluster.ts';

let cluster: TestCluster;
let proxy: RunningProxy;
beforeAll(async () => {
  cluster = await TestCluster.start();
  proxy = await cluster.proxy({
    publicAddress: 'proxy.example:443',
    limits: { headersMs: 400, bodyIdleMs: 600, webRequestsPerMinute: 120 },
  });
});
afterAll(() => cluster.stop());

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}
function get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const agent = new Agent({ rejectUnauthorized: false, servername: 'proxy.example' });
  return new Promise((resolve, reject) => {
    const sent = { host: 'proxy.example', ...headers };
    const req = request({ agent, host: '127.0.0.1', port: proxy.address.port, path, headers: sent }, (res) => {
      const answer = text(res).then((body) => ({ status: res.statusCode ?? 0, headers: res.headers, body }));
      resolve(answer.finally(() => agent.destroy()));
    });
    req.on('error', reject).end();
  });
}
/** Sends bytes as they stand and gives everything that came until the connection closed. */
async function raw(request: string): Promise<string> {
  const socket = connectTls({ socket: dial(proxy), rejectUnauthorized: false, servername: 'proxy.example', ALPNProtocols: ['http/1.1'] });
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part)).on('error', () => undefined);
  await once(socket, 'secureConnect');
  socket.write(request);
  await once(socket, 'close');
  return Buffer.concat(parts).toString();
}

describe('the web server', () => {
  it('answers find and ping on both paths with the version, the public address, the Host CA and its pins', async () => {
    for (const path of ['/v1/webapi/find', '/webapi/find', '/v1/webapi/ping', '/webapi/ping']) {
      const { status, body } = await get(path);
      expect(status).toBe(200);
      expect(JSON.parse(body)).toMatchObject({
        server_version: '0.1.0',
        min_client_version: '0.1.0',
        cluster_name: 'test-cluster',
        proxy: { tls_routing_enabled: true, ssh: { public_addr: 'proxy.example:443' } },
        auth: { type: 'local', second_factor: 'off' },
        host_ca_pems: [cluster.hostCaPem],
        ca_pins: [caPin(cluster.hostCaPem)],
      });
    }
  });

  it('tells whether it is alive and ready, and shows a page with the command to sign in', async () => {
    await expect.poll(async () => (await get('/readyz')).status).toBe(200);
    expect(JSON.parse((await get('/readyz')).body)).toMatchObject({
      status: 'ok',
      checks: { auth: { ok: true }, route_keys: { ok: true }, tunnels: { ok: true } },
    });
    expect((await get('/healthz')).status).toBe(200);
    const page = await get('/');
    expect(page.body).toContain('tsh login --proxy=proxy.example:443');
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none';style-src 'sha256-[^']+';frame-ancestors 'none'/);
    expect(page.headers).toMatchObject({ 'x-frame-options': 'DENY', 'x-content-type-options': 'nosniff' });
    // A browser that remembered HSTS could not get past the warning of a self-signed certificate.
    expect(page.headers['strict-transport-security']).toBeUndefined();
  });

  it('answers what it does not have with JSON, and takes no other spelling of a path for it', async () => {
    for (const path of [
      '/nothing',
      '/V1/webapi/find',
      '/v1/webapi/find/',
      '/v1/webapi/ping/../users',
      '/v1/webapi%2ffind',
      '/webapi/find;x',
      '/.env',
    ]) {
      const { status, body } = await get(path);
      expect([path, status]).toEqual([path, 404]);
      expect(JSON.parse(body)).toEqual({ error: { message: 'there is nothing at this path' } });
    }
  });

  it.each([
    ['two Host headers', 'GET / HTTP/1.1\r\nHost: proxy.example\r\nHost: aws.proxy.example\r\n\r\n'],
    ['two Authorization headers', 'GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n'],
    ['an absolute target', 'GET http://169.254.169.254/latest HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a target with two slashes', 'GET //evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx'],
    ['a length and chunks', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['chunks over HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['a header over the limit', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`],
  ])('refuses %s', async (_what, text) => {
    expect(await raw(text)).toMatch(/^HTTP\/1\.1 4(?:00|31) /);
  });

  it('ED-09 cuts headers that dribble and a body that stops coming', async () => {
    const startedMs = performance.now();
    expect(await raw('GET / HTTP/1.1\r\nHost: a\r\nX-Slow')).toMatch(/^HTTP\/1\.1 408|^$/);
    expect(await raw('POST /v1/webapi/find HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{')).toMatch(
      /^(?:HTTP\/1\.1 4|$)/,
    );
    expect(performance.now() - startedMs).toBeLessThan(6_000);
  });

  it('counts requests by the address of the socket, whatever X-Forwarded-For says', async () => {
    const statuses = [];
    for (let i = 0; i < 130; i++) statuses.push((await get('/', { 'x-forwarded-for': `198.51.100.${i}` })).status);
    expect(statuses).toContain(429);
    expect(JSON.parse((await get('/')).body).error.message).toMatch(/too many requests/);
  });

  it('shows its certificate for any name, speaks HTTP/1.1 alone, and asks for no client certificate', async () => {
    const socket = connectTls({
      socket: dial(proxy),
      rejectUnauthorized: false,
      servername: 'whatever.example',
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    await once(socket, 'secureConnect');
    expect(socket.alpnProtocol).toBe('http/1.1');
    expect(new X509Certificate(socket.getPeerCertificate().raw).checkHost('proxy.example')).toBe('proxy.example');
    socket.destroy();
    const none = connectTls({ socket: dial(proxy), rejectUnauthorized: false });
    await once(none, 'secureConnect');
    none.destroy();
  });
});
